"""Is the manual complete? Every option of the grammar is in bird.conf(5), every command in birdc(8).

What can be written is taken from the fragments (*.Y) themselves: the words that stand together in an alternative
of the rules, such as `min rx interval`. Those of proto/NAME/ have to be in the section PROTOCOL NAME, those of a
command in birdc(8). They have to stand on one line in this order, and be marked as words of the language (`Ic`), so
that prose does not count. Alternatives that only refuse something need not be there. The other way round, a word so
marked has to be one of the grammar.
"""
import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MACROS = set("Ar Ic Op Oo Oc Qq Qo Qc Pq Po Pc Brq Bro Brc Dq Ns Li No Cm Xr Dv Pa Fl Em Ta Ql Nm Sx Ev Pf".split())
LEXER = {"include"}  # no word of the grammar
REFUSES = re.compile(r"\bYYERROR\b")
TOKENS = re.compile(r"""'(?:\\.|[^'\\])+'|"[^"]*"|%?\w+|[:|;{}]|/\*.*?\*/|//[^\n]*|\S""", re.S)


class Fragment:
    """A .Y file: its keywords, its commands, and its rules as (left side, words and names, does it only refuse)."""

    def __init__(self, path):
        self.path = os.path.relpath(path, TOP)
        self.keywords, self.commands, self.rules = set(), [], []
        text = open(path, encoding="utf-8").read()
        for part in re.split(r"^%section ", text, flags=re.M)[1:]:
            name, _, body = part.partition("\n")
            if name.endswith("keywords"):
                self.keywords |= set(body.split())
            elif name == "commands":
                self.commands += [re.split(r"\s*(?<!\\)\|\s*", line)[:2] for line in body.splitlines() if line.strip()]
            elif name == "rules":
                self.parse(body)

    def parse(self, body):
        left, items, refuses, depth, action = None, [], False, 0, ""
        tokens = [t for t in TOKENS.findall(body) if not t.startswith(("/*", "//"))]
        for i, token in enumerate(tokens):
            if token == "{":
                depth += 1
            elif token == "}":
                depth -= 1
                if not depth:
                    refuses, action = refuses or bool(REFUSES.search(action)), ""
            elif depth:
                action += token + " "
            elif token in "|;":
                if left:
                    self.rules.append((left, items, refuses))
                items, refuses = [], False
                left = None if token == ";" else left
            elif token == ":":
                items = []
            elif left is None and tokens[i + 1] == ":":
                left = token
            else:
                items.append(token)


def reachable(rules, starts):
    """The left sides that `starts` lead to, without going through alternatives that only refuse."""
    found, todo = set(), list(starts)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [i for left, items, refuses in rules if left == name and not refuses for i in items]
    return found


def phrases(items, words):
    """Words that stand together in an alternative."""
    run = []
    for item in items + [""]:
        if item.isupper() and item.lower() in words:
            run.append(item.lower())
        elif run:
            yield tuple(run)
            run = []


def in_order(phrase, words):
    rest = iter(words)
    return all(word in rest for word in phrase)


class Page:
    def __init__(self, name):
        self.name = name
        self.lines = []  # (section, words that are marked)
        section = ""
        for line in open(os.path.join(TOP, "doc/man", name), encoding="utf-8"):
            if line.startswith(".Sh "):
                section = line[4:].strip()
            elif line.startswith("."):
                self.read(section, line[1:].split())

    def read(self, section, tokens):
        marked, words = False, []
        for token in tokens:
            if marked and re.fullmatch(r"[a-z0-9_]+", token):
                words.append(token)
            marked = token == "Ic" or (marked and token not in MACROS)  # punctuation does not end it
        if words:
            self.lines.append((section, words))

    def has(self, phrase, section=None):
        return any(in_order(phrase, words) for s, words in self.lines if section in (None, s))


def main():
    fragments = [Fragment(p) for pattern in ("conf/config.Y", "conf/global.Y", "nest/*.Y", "proto/*/config.Y")
                 for p in sorted(glob.glob(os.path.join(TOP, pattern)))]
    words = set.union(*(f.keywords for f in fragments))
    rules = [r for f in fragments for r in f.rules]
    options = reachable(rules, ["conf_entry", "conf_begin"])
    commands = reachable(rules, ["cli"])
    conf, client = Page("bird.conf.5"), Page("birdc.8")
    wrong, checked = [], 0

    def expect(page, phrase, where, section=None):
        nonlocal checked
        checked += 1
        if not page.has(phrase, section):
            wrong.append(f"{where}: `{' '.join(phrase)}` is not in {page.name}{', ' + section if section else ''}")

    for f in fragments:
        proto = re.fullmatch(r"proto/(\w+)/config\.Y", f.path)
        section = f"PROTOCOL {proto[1].upper()}" if proto else None
        for left, items, refuses in f.rules:
            for phrase in () if refuses else phrases(items, words):
                if left in options and left not in commands:
                    # the name of the protocol is in the title
                    if not (proto and phrase == (proto[1],)):
                        expect(conf, phrase, f.path, section)
                elif left == "cli" or left in commands:
                    expect(client if left not in options else conf, phrase, f.path)
        for name, args in f.commands:
            if args != "..." or not any(n.startswith(name + " ") for g in fragments for n, _ in g.commands):
                expect(client, tuple(name.split()), f.path)

    for page in (conf, client):
        for section, marked in page.lines:
            checked += 1
            unknown = [w for w in marked if w not in words | LEXER]
            if unknown:
                wrong.append(f"doc/man/{page.name}, {section}: no grammar has `{' '.join(unknown)}`")
    for line in wrong:
        print(f"FAILED: {line}")
    print(f"manual: {checked - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
