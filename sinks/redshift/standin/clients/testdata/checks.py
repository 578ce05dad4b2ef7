"""What the Python clients' checks have in common: each prints a line, which the
test reads: its name, and what is wrong with it or nothing."""

import json
import os
import sys
import traceback

HOST = os.environ["STANDIN_HOST"]
PORT = int(os.environ["STANDIN_PORT"])
DATABASE = os.environ["STANDIN_DATABASE"]
USER = os.environ["STANDIN_USER"]
PASSWORD = os.environ["STANDIN_PASSWORD"]
BUCKET = os.environ.get("STANDIN_BUCKET", "")
ROLE = "arn:aws:iam::123456789012:role/copy"


def report(name, wrong=""):
    print(json.dumps({"check": name, "wrong": wrong}), flush=True)


def equal(name, got, want):
    """Both in type and value: a driver that gives text for a number has failed."""
    if type(got) is type(want) and got == want:
        report(name)
    else:
        report(name, f"got {got!r}, want {want!r}")


def true(name, got, why=""):
    report(name, "" if got else f"{why or 'is false'}")


def check(name, f, want):
    """Runs f, whose answer is to equal want; an exception is what is wrong."""
    try:
        got = f()
    except Exception as e:  # the checks after this one are still of interest
        report(name, f"{type(e).__name__}: {e}")
        return None
    equal(name, got, want)
    return got


def refused(name, f, state, code, text=""):
    """Runs f, which is to fail with a SQLSTATE (None = any) and a text; state reads
    the former from the driver's exception."""
    try:
        got = f()
    except Exception as e:
        found = state(e)
        if found is None or code not in (None, found):
            report(name, f"SQLSTATE {found}, want {code}: {e}")
        elif text not in str(e):
            report(name, f"{str(e)!r} lacks {text!r}")
        else:
            report(name)
        return
    report(name, f"is taken, and answers {got!r}")


def main(*parts):
    """Runs parts that build on one another each; one that dies does not take the others."""
    for part in parts:
        try:
            part()
        except Exception as e:
            report(part.__name__, f"{type(e).__name__}: {e}\n{traceback.format_exc()}")
    print("done", flush=True)
    sys.exit(0)
