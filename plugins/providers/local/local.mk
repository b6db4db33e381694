include plugins/providers/local/node/node.mk
