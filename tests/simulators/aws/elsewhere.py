"""What credentials come from besides STS: SSO, the container's agent, the instance's metadata service."""

import json
import time
import urllib.parse

IMDS_TOKEN = "simulated-imds-token"


def _json(handler, status, document):
    handler.reply(status, json.dumps(document), "application/json")
    return True


def _keys(handler, seconds=3600):
    """New temporary credentials that the account knows."""
    account = handler.account
    with account.lock:
        account.counter += 1
        key = f"ASIA{account.counter:016d}"
        account.keys[key] = {"secret": f"secret of {key}", "token": f"token of {key}", "expires": account.now() + seconds,
                             "arn": "arn:aws:sts::123456789012:assumed-role/temporary/session"}
        return key, account.keys[key], account.now() + seconds


def _metadata(handler):
    key, held, expires = _keys(handler)
    return _json(handler, 200, {"Code": "Success", "AccessKeyId": key, "SecretAccessKey": held["secret"],
                                "Token": held["token"],
                                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))})


def _sso(handler, query):
    if handler.headers.get("x-amz-sso_bearer_token") != "simulated-sso-token":
        return _json(handler, 401, {"message": "Session token not found or invalid"})
    asked = urllib.parse.parse_qs(query)
    if not asked.get("role_name") or not asked.get("account_id"):
        return _json(handler, 400, {"message": "role_name and account_id are needed"})
    key, held, expires = _keys(handler)
    return _json(handler, 200, {"roleCredentials": {"accessKeyId": key, "secretAccessKey": held["secret"],
                                                    "sessionToken": held["token"], "expiration": int(expires * 1000)}})


def _instance(handler, method, path):
    if method == "PUT" and path == "/latest/api/token":
        if not handler.headers.get("x-aws-ec2-metadata-token-ttl-seconds"):
            handler.reply(400, "", "text/plain")
        else:
            handler.reply(200, IMDS_TOKEN, "text/plain")
        return True
    if handler.headers.get("x-aws-ec2-metadata-token") != IMDS_TOKEN:
        handler.reply(401, "", "text/plain")
        return True
    role = path.removeprefix("/latest/meta-data/iam/security-credentials/")
    if role == "":
        handler.reply(200, "simulated-role", "text/plain")
        return True
    return _metadata(handler) if role == "simulated-role" else False


def answer(handler, method, path, query, body):
    """True when the request was for one of these, and has been answered."""
    if method == "POST" and path == "/token":
        asked = json.loads(body)
        if asked.get("refreshToken") != "simulated-refresh-token":
            return _json(handler, 400, {"error": "invalid_grant", "error_description": "Invalid refresh token provided"})
        return _json(handler, 200, {"accessToken": "simulated-sso-token", "expiresIn": 3600, "tokenType": "Bearer"})
    if path == "/federation/credentials":
        return _sso(handler, query)
    if path == "/container/credentials":
        if handler.headers.get("Authorization") != "simulated-container-token":
            return _json(handler, 403, {"message": "wrong token"})
        return _metadata(handler)
    if path.startswith("/latest/"):
        return _instance(handler, method, path)
    return False
