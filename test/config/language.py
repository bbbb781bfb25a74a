"""Check every row of language.tsv: language.py BIRD TABLE

A row is: section, what is tried, verdict, message, configuration text, and why the verdict is another than that
of BIRD 2.0.12 (empty: it is the same). The verdict is `accepted` or `refused`; of what is refused the first line
of the message follows the name of the file. `protocol device { }` is added to each text, in which \\n, \\t, \\r
and \\xNN stand for themselves.
"""
import re
import subprocess
import sys
import tempfile

ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def unescape(text):
    def byte(m):
        return ESCAPES.get(m[1]) or chr(int(m[1][1:], 16))
    return re.sub(r"\\(n|t|r|x[0-9a-f]{2})", byte, text).encode("latin-1")


def verdict_of(bird, text):
    with tempfile.NamedTemporaryFile(suffix=".conf") as conf:
        conf.write(unescape(text) + b"\nprotocol device { }\n")
        conf.flush()
        run = subprocess.run([bird, "-p", "-c", conf.name], capture_output=True, timeout=60)
        said = run.stderr.decode("latin-1").replace(f"bird: {conf.name}:", "").splitlines()
    verdict = {0: "accepted", 1: "refused"}.get(run.returncode, f"exit status {run.returncode}")
    return verdict, said[0] if said else ""


def main(bird, table):
    wrong = rows = 0
    for number, line in enumerate(open(table, encoding="latin-1"), 1):
        if line.startswith("#") or not line.strip():
            continue
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 6:
            sys.exit(f"{table}:{number}: {len(fields)} fields instead of 6")
        _, what, verdict, message, text, _ = fields
        got = verdict_of(bird, text)
        rows += 1
        if got != (verdict, message):
            wrong += 1
            print(f"FAILED: {table}:{number} {what}: {text}\n  expected {(verdict, message)}\n  got      {got}")
    print(f"language: {rows - wrong} rows hold, {wrong} do not")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
