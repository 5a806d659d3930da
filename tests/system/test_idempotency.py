"""One Idempotency-Key, one effect: whoever asks again gets the first answer, from any gateway, also after a restart."""

import threading

from stack import wait_until

SETTINGS = {"broker.lease_ms": 1500, "wire.beat_ms": 100}
CSV = "n,word\n" + "".join("%d,%s\n" % (i, "x" * 60) for i in range(60000))
STEPS = [{"operation": "csv/search", "arguments": {"conditions": [{"column": "n", "operator": "equals", "value": "7"}]}}]


def key(text):
    return {"Idempotency-Key": text}


def jobs(stack, chat):
    return stack.get("/chat/workflows/%s/jobs" % chat).data["jobs"]


def prepare(stack):
    chat = stack.create_chat()
    assert stack.upload(chat, "words.csv", CSV).status == 200
    return chat


def test_a_second_execute_gets_the_same_answer(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat, other = prepare(stack), prepare(stack)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(stack.execute(chat, STEPS, key("k1")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [a.status for a in answers] == [200] * 4, answers
    assert all(a.data == answers[0].data for a in answers)
    assert len(jobs(stack, chat)) == 1
    assert stack.execute(chat, STEPS, key("k1")).data == answers[0].data
    assert stack.execute(chat, STEPS * 2, key("k1")).status == 422, "another body"
    assert stack.execute(chat, STEPS, key("k2")).status == 200
    assert stack.execute(other, STEPS, key("k1")).status == 200, "another chat"
    assert len(jobs(stack, chat)) == 2 and len(jobs(stack, other)) == 1


def test_keys_outlive_a_broker_and_a_gateway(make_stack):
    stack = make_stack(settings=SETTINGS)
    created = stack.request("POST", "/chat/workflows", None, key("c"))
    chat = created.data["chat_id"]
    assert stack.upload(chat, "words.csv", CSV).status == 200
    asked = stack.execute(chat, STEPS, {**key("k"), "Prefer": "respond-async"})
    assert asked.status == 202, asked
    for program in (stack.broker, stack.gateway):
        stack.kill(program)
        stack.restart(program)
    stack.wait_ready()
    assert stack.request("POST", "/chat/workflows", None, key("c")).data["chat_id"] == chat
    again = stack.execute(chat, STEPS, {**key("k"), "Prefer": "respond-async"})
    assert again.status == 202 and again.data["job_id"] == asked.data["job_id"], again
    waited = stack.execute(chat, STEPS, key("k"))
    assert waited.status == 200 and len(waited.data["results"]) == 1, waited
    assert len(jobs(stack, chat)) == 1


def test_create_with_a_key(make_stack):
    stack = make_stack(settings=SETTINGS)

    def create(name, body=None):
        return stack.request("POST", "/chat/workflows", body, key(name))

    first = create("k", b'{"a":1}')
    assert first.status == 201 and create("k", b'{"a":1}').data == first.data
    assert create("k", b'{"a":2}').status == 422
    assert create("other").data["chat_id"] != first.data["chat_id"]
    assert stack.request("DELETE", "/chat/workflows/" + first.data["chat_id"]).status == 200
    anew = create("k", b'{"a":2}')
    assert anew.status == 201 and anew.data["chat_id"] != first.data["chat_id"], "a key lives as long as its chat"


def test_keys_have_bounds(make_stack):
    stack = make_stack(settings=SETTINGS)
    chat = prepare(stack)
    assert stack.execute(chat, STEPS, key("k" * 255)).status == 200
    for bad in ("", "k" * 256, "with blank", "umlaut\xe4"):
        answer = stack.execute(chat, STEPS, key(bad))
        assert answer.status == 400 and "255" in answer.message, (bad, answer)
    wait_until(lambda: all(job["status"] == "completed" for job in jobs(stack, chat)), 30)
    assert len(jobs(stack, chat)) == 1
