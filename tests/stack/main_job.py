"""The main job against a running stack, with nothing but the standard library: forty chats at once, each uploads a table,
runs three steps and downloads the result. usage: main_job.py REST_URL WS_URL WORKERS"""
import concurrent.futures
import csv
import io
import json
import sys
import time
import urllib.request
import uuid

CHATS = 40
STEPS = [
    {"operation": "csv/search", "arguments": {"conditions": [{"column": "n", "operator": "less_than", "value": 5000}]}},
    {"operation": "excel/map-columns", "arguments": {"mapping": {"Number": "n", "Square": "square"}}},
    {"operation": "json/generate", "arguments": {"column_mapping": {"Number": "n", "Square": "sq"}}},
]


def call(method, url, body=None, content_type=None):
    request = urllib.request.Request(url, data=body, method=method,
                                     headers={"Content-Type": content_type} if content_type else {})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def data(raw):
    return json.loads(raw)["data"]


def table():
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["n", "square"])
    rows.writerows([i, i * i] for i in range(20000))
    return out.getvalue().encode()


def one_chat(api, content):
    chat = data(call("POST", api + "/chat/workflows"))["chat_id"]
    boundary = uuid.uuid4().hex
    body = ('--%s\r\nContent-Disposition: form-data; name="file"; filename="squares.csv"\r\n\r\n' % boundary).encode()
    body += content + ("\r\n--%s--\r\n" % boundary).encode()
    call("POST", "%s/chat/workflows/%s/upload" % (api, chat), body, "multipart/form-data; boundary=" + boundary)
    result = data(call("POST", "%s/chat/workflows/%s/execute" % (api, chat), json.dumps({"steps": STEPS}).encode(),
                       "application/json"))
    made = json.loads(call("GET", result["results"][-1]["download_url"]))
    assert made == [{"n": str(i), "sq": str(i * i)} for i in range(5000)], "chat %s: wrong result" % chat


def main():
    api = sys.argv[1] + "/api/v1"
    workers = int(sys.argv[3])
    end = time.monotonic() + 60
    while True:
        ready = data(call("GET", api + "/health/ready"))
        if ready.get("workers") == workers:
            break
        assert time.monotonic() < end, "only %r of %d workers registered" % (ready, workers)
        time.sleep(0.2)
    content = table()
    with concurrent.futures.ThreadPoolExecutor(CHATS) as pool:
        list(pool.map(lambda _: one_chat(api, content), range(CHATS)))
    print("main job: %d chats of %d steps passed" % (CHATS, len(STEPS)))


main()
