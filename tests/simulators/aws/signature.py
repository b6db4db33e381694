"""AWS Signature Version 4, from the server's side."""

import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

from wire import Failure

CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
                        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})")
ALWAYS_SIGNED = {"host", "x-amz-date"}
SKEW_S = 300


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _canonical_query(query):
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    encoded = sorted((urllib.parse.quote(name, safe="-_.~"), urllib.parse.quote(value, safe="-_.~"))
                     for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def sign(secret, method, path, query, headers, names, body, date, region, service):
    canonical_headers = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    request = "\n".join([method, urllib.parse.quote(path, safe="/-_.~"), _canonical_query(query), canonical_headers,
                         ";".join(names), hashlib.sha256(body).hexdigest()])
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    string = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (date[:8], region, service, "aws4_request"):
        key = _hmac(key, part)
    return hmac.new(key, string.encode(), hashlib.sha256).hexdigest()


def check(world, method, path, query, headers, body):
    """Who asks, for which region and service; a Failure when the signature is not theirs."""
    match = CREDENTIAL.fullmatch(headers.get("authorization", ""))
    if not match:
        raise Failure("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    key_id, day, region, service, names, signature = match.groups()
    names = names.split(";")
    key = world.keys.get(key_id)
    if not key:
        raise Failure("AuthFailure" if service == "ec2" else "InvalidClientTokenId",
                      "AWS was not able to validate the provided access credentials", 401)
    if key.get("token") != headers.get("x-amz-security-token"):
        raise Failure("InvalidClientTokenId", "The security token included in the request is invalid", 403)
    wanted = ALWAYS_SIGNED | {name for name in headers if name.startswith("x-amz-") or name == "content-type"}
    if not wanted <= set(names) or names != sorted(names):
        raise Failure("IncompleteSignature", f"these headers must be signed: {sorted(wanted)}", 400)
    date = headers["x-amz-date"]
    if date[:8] != day:
        raise Failure("SignatureDoesNotMatch", "Date in Credential scope does not match that of the request", 403)
    skew = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ")) - world.now()
    if abs(skew) > SKEW_S:
        code = "RequestExpired" if service == "ec2" else "SignatureDoesNotMatch"
        raise Failure(code, f"Signature expired or not yet current: {date}", 400 if service == "ec2" else 403)
    if sign(key["secret"], method, path, query, headers, names, body, date, region, service) != signature:
        raise Failure("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "
                      "provided", 403)
    if key.get("expires", float("inf")) <= world.now():
        raise Failure("RequestExpired" if service == "ec2" else "ExpiredToken", "The security token has expired", 400)
    return key, region, service
