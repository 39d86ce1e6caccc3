#!/usr/bin/env python3
"""Writes what packages have to say about the crates that s6-tls depends on, from the
crates themselves: THIRD-PARTY.txt with the licences of all code in the programs, and the
crates' part of packaging/debian/copyright. What compilers link into the programs is in
packaging/licences. Usage: packaging/licences.py [DIRECTORY] writes into DIRECTORY instead
of the tree."""

import json
import pathlib
import re
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parent.parent
COPYRIGHT = "packaging/debian/copyright"
# Files of a title, an empty line, and the text of a licence.
LINKED = "packaging/licences"
MARK = "# Crates, written by packaging/licences.py\n"
# The programs contain what these say, although only a build script depends on them.
PACKED = ["webpki-roots"]
# Of several licences we choose the first one of these.
PREFERRED = ["MIT", "ISC", "BSD-3-Clause", "Apache-2.0"]
# Debian has this text in a file.
COMMON = {"Apache-2.0": " On Debian systems: /usr/share/common-licenses/Apache-2.0.\n"}


def cargo(*arguments):
    command = ["cargo", *arguments, "--locked", "--offline"]
    return subprocess.run(command, cwd=TREE, check=True, capture_output=True, text=True).stdout


def crates():
    """All crates of Cargo.lock, and the names of those that are in a program."""
    metadata = json.loads(cargo("metadata", "--format-version=1"))
    found = sorted((p for p in metadata["packages"] if p["source"]), key=lambda p: p["name"])
    tree = ["tree", "-e", "normal,no-proc-macro", "-p", "s6-tls", "--prefix", "none"]
    names = set()
    for arch in "x86_64", "aarch64":
        lines = cargo(*tree, "--target", arch + "-unknown-linux-musl").splitlines()
        names |= {tuple(line.split()[:2]) for line in lines if line}
    names |= {(p["name"], "v" + p["version"]) for p in found if p["name"] in PACKED}
    return found, names


def chosen(expression):
    """The licences that apply to us: of alternatives one."""
    parts = re.sub("[()]", "", expression).replace("/", " OR ").split(" AND ")
    for part in parts:
        options = part.split(" OR ")
        yield next((l for l in PREFERRED if l in options), options[0])


def texts(crate):
    """The files with the licences that we chose."""
    folder = pathlib.Path(crate["manifest_path"]).parent
    files = sorted(f for f in folder.iterdir() if re.match("(?i)(licen[sc]e|copying)", f.name))
    files = [f for f in files if f.is_file()]
    if " AND " in crate["license"]:
        return files
    exact = [f for f in files for l in chosen(crate["license"]) if f.name.upper().endswith(l.split("-")[0].upper())]
    return exact or files[:1]


def holders(crate):
    """The copyright lines of those files, else the authors."""
    found = {}
    for file in texts(crate):
        for line in file.read_text(errors="replace").splitlines():
            line = line.strip(" */#")
            if re.match(r"(?i)copyright (\(c\)|©|[0-9]{4})", line):
                holder = re.sub(r"(?i)^(copyright|\(c\)|©|,|\s)+", "", line)
                found[re.sub(r"(?i)\.? all rights reserved\.?$", "", holder)] = None
    authors = [re.sub(" *<.*", "", author) for author in crate["authors"]]
    return list(found) or authors or [f"the {crate['name']} developers"]


def third_party(found, names):
    """The texts of the licences, each once, after the crates that it belongs to."""
    groups = {}
    for crate in found:
        if (crate["name"], "v" + crate["version"]) in names:
            for file in texts(crate):
                text = "\n".join(l.rstrip() for l in file.read_text().strip().splitlines())
                title = f"{crate['name']} {crate['version']} ({crate['license']})"
                groups.setdefault(text, []).append(title)
    for file in sorted((TREE / LINKED).iterdir()):
        title, text = file.read_text().strip().split("\n\n", 1)
        groups.setdefault(text, []).append(title)
    head = "The programs of s6-tls contain code of these crates from crates.io, and of the libraries at\n"
    head += "the end, which are linked into them, under these licences.\n"
    body = ["=" * 78 + "\n" + "\n".join(t) + "\n\n" + text + "\n" for text, t in groups.items()]
    return head + "\n" + "\n".join(body)


def stanzas(found):
    """The crates' part of the Debian file, without versions."""
    names, licences, out = {}, {}, []
    for crate in found:
        names.setdefault(crate["name"], crate)
    for name, crate in names.items():
        licence = " and ".join(dict.fromkeys(chosen(crate["license"])))
        out.append(f"Files: vendor/{name}-*\nCopyright:\n " + "\n ".join(holders(crate)))
        out[-1] += f"\nLicense: {licence}\n"
        for one in chosen(crate["license"]):
            word = one.split("-")[0].upper()
            files = [f for f in texts(crate) if " and " not in licence or word in f.name.upper()]
            if files or one in COMMON:
                licences.setdefault(one, files and files[0])
    for licence, file in sorted(licences.items()):
        if licence != "ISC":
            out.append(f"License: {licence}\n" + (COMMON.get(licence) or indented(file)))
    return "\n".join(out)


def indented(file):
    """A text without its first copyright lines, as a field of a Debian file."""
    lines = file.read_text().strip().splitlines()
    while re.match(r"(?i)\s*($|copyright|all rights|the mit lic|mit lic)", lines[0]):
        lines.pop(0)
    return "".join(f" {line.rstrip() or '.'}\n" for line in lines)


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TREE)
    found, names = crates()
    (out / COPYRIGHT).parent.mkdir(parents=True, exist_ok=True)
    (out / "THIRD-PARTY.txt").write_text(third_party(found, names))
    ours = (TREE / COPYRIGHT).read_text().split(MARK)[0]
    (out / COPYRIGHT).write_text(ours + MARK + "\n" + stanzas(found))


main()
