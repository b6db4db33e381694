"""What goes over the wire: forms and XML of the query protocols, JSON, errors."""

import json
import urllib.parse
import xml.sax.saxutils


class Failure(Exception):
    """An error as AWS gives it."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def parse_form(body):
    """{"Filter": [{"Name": …, "Value": […]}]} out of Filter.1.Name=…; `member` levels are left out."""
    tree = {}
    for name, value in urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True):
        level = tree
        parts = [part for part in name.split(".") if part != "member"]
        for part in parts[:-1]:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                raise Failure("MalformedQueryString", f"{name} is given twice")
        if parts[-1] in level:
            raise Failure("MalformedQueryString", f"{name} is given twice")
        level[parts[-1]] = value
    return _lists(tree)


def _lists(value):
    """Levels that have numbers as names become lists; the numbers count from 1 without gaps."""
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() for name in value):
        numbers = sorted(int(name) for name in value)
        if numbers != list(range(1, len(numbers) + 1)):
            raise Failure("MalformedQueryString", f"a list has the numbers {numbers}")
        return [_lists(value[str(number)]) for number in numbers]
    return {name: _lists(inner) for name, inner in value.items()}


def xml_of(name, value, item="item"):
    """One element. Lists become <name><item>…</item></name>; None is left out."""
    if value is None:
        return ""
    if isinstance(value, dict):
        inner = "".join(xml_of(key, member, item) for key, member in value.items())
    elif isinstance(value, (list, tuple)):
        inner = "".join(xml_of(item, element, item) for element in value)
    elif isinstance(value, bool):
        inner = "true" if value else "false"
    else:
        inner = xml.sax.saxutils.escape(str(value))
    return f"<{name}>{inner}</{name}>"


def ec2_reply(action, result, request_id):
    namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"
    inner = "".join(xml_of(key, value) for key, value in {"requestId": request_id, **result}.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{namespace}">{inner}</{action}Response>'


def ec2_error(failure, request_id):
    error = xml_of("Errors", {"Error": {"Code": failure.code, "Message": failure.message}})
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Response>{error}<RequestID>{request_id}</RequestID></Response>'


def query_reply(action, result, request_id, namespace):
    inner = xml_of(f"{action}Result", result, "member") if result else ""
    metadata = xml_of("ResponseMetadata", {"RequestId": request_id})
    return f'<{action}Response xmlns="{namespace}">{inner}{metadata}</{action}Response>'


def query_error(failure, request_id, namespace):
    kind = "Sender" if failure.status < 500 else "Receiver"
    error = xml_of("Error", {"Type": kind, "Code": failure.code, "Message": failure.message})
    return f'<ErrorResponse xmlns="{namespace}">{error}<RequestId>{request_id}</RequestId></ErrorResponse>'


def json_reply(result):
    return json.dumps(result) if result else ""


def json_error(failure):
    return json.dumps({"__type": failure.code, "message": failure.message})
