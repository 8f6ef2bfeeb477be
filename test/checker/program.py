#!/usr/bin/env python3
"""dynconf-check as its users run it: on the example of docs/checker.md, on records of good and bad runs, on broken files."""

import json
import pathlib
import subprocess
import sys

program, document = sys.argv[1:]
failures = []


def put(client, called, returned, value, revision, **more):
    return {"type": "call", "client": client, "called": called, "returned": returned, "state": "executed",
            "what": {"put": {"key": "a", "value": value}}, "answer": {"put": {"revision": revision}}, **more}


def batch(at, revision, value):
    kv = {"key": "a", "value": value, "create_revision": 2, "mod_revision": revision, "version": revision - 1}
    return {"type": "sight", "observer": "w", "at": at, "what": "batch", "revision": revision,
            "events": [{"type": "put", **kv}]}


def run(text, *arguments, file="-"):
    return subprocess.run([program, file, *arguments], input=text, capture_output=True, text=True, timeout=60)


def expect(name, status, words, lines, *arguments, raw=None):
    text = raw if raw is not None else "".join(json.dumps(line) + "\n" for line in lines)
    done = run(text, *arguments)
    said = done.stdout if status < 2 else done.stderr
    missing = [w for w in words if w not in said]
    if done.returncode != status or missing:
        failures.append(f"{name}: status {done.returncode} for {status}, without {missing}:\n{done.stdout}{done.stderr}")


start = {"type": "start", "revision": 1}
watch = {"type": "observer", "name": "w", "what": "watch", "ranges": [{"key": "a"}]}
begun = {"type": "sight", "observer": "w", "at": 1, "what": "started", "revision": 2}
second = 10**9
good = [start, put(1, 0, 9, "x", 2), put(1, 10, 19, "y", 3), watch, begun, batch(5, 2, "x"), batch(15, 3, "y")]

expect("a good run", 0, ["2 calls: 2 executed", "1 observers with 3 sights and 2 events", "all is right"], good)
expect("nothing at all", 0, ["0 calls", "all is right"], [start])
expect("a sight that is missing", 1, ["WRONG, complete: w", "revision 2", "NOT right"], good[:5] + good[6:])
expect("one that comes twice", 1, ["WRONG, unique: w", "NOT right"], good[:6] + good[5:])
expect("one that nobody wrote", 1, ["WRONG, genuine: w"], good[:5] + [batch(5, 2, "z"), batch(15, 3, "y")])

late = good + [{"type": "sight", "observer": "w", "at": second, "what": "live"},
               put(1, 2 * second, 2 * second + 9, "z", 4),
               {"type": "sight", "observer": "w", "at": 10 * second, "what": "stale"}, batch(10 * second, 4, "z")]
expect("live, and late by less than is allowed", 0, ["all is right"], late)
expect("live, and late by more", 1, ["WRONG, fresh: w"], late, "--max-staleness", "2000")
expect("late, within the allowance", 0, ["all is right"], late, "--max-staleness", "2000", "--allowance", "7000")

broken = dict(good[5], events=[{"type": "pot", "key": "a"}])
expect("a member that is wrong", 2, ["line 6: events[0].type: none of put, delete"], good[:5] + [broken])
expect("a member that is not known", 2, ["line 2", "colour"], [start, dict(good[1], colour="red")])
expect("half a line", 2, ["line 2"], [], raw='{"type":"start","revision":1}\n{"type":"call","cli')
expect("an option that is not known", 2, ["--faster"], good, "--faster")

absent = run("", file="/nonexistent/record")
if absent.returncode != 2 or "/nonexistent/record: cannot be opened" not in absent.stderr:
    failures.append(f"a file that is not there: {absent}")

# What the document says of its example.
text = pathlib.Path(document).read_text(encoding="utf-8")
example = next(b for b in text.split("```\n") if b.startswith('{"type":"start"'))
expect("the example of the document", 1, ["WRONG, linearizable"], [], raw=example)
mended = example.replace('"answer":{"range":{"revision":2,"count":0}}', '"answer":{"range":{"revision":2,"count":1,'
                         '"kvs":[{"key":"a","value":"x","create_revision":2,"mod_revision":2,"version":1}]}}')
expect("the example with another answer", 0, ["all is right"], [], raw=mended)

for failure in failures:
    print("FAILED: " + failure)
print(f"{len(failures)} failed")
sys.exit(1 if failures else 0)
