EXTRA_DIST += plugins/common/cleanup.h
