/*
 * without_tls.c - the two functions of gnutls that a static memories-server does call
 *
 * libmicrohttpd initialises gnutls when the program begins, whether it will speak HTTPS or not. The static server never
 * does (see server.mk), so there is nothing to initialise.
 */
int gnutls_global_init(void);
void gnutls_global_deinit(void);

int gnutls_global_init(void)
{
    return 0;
}

void gnutls_global_deinit(void)
{
}
