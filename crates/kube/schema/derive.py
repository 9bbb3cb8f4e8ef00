#!/usr/bin/env python3
"""Derives messages.txt, the schema of everything Kubernetes stores.

    schema/derive.py KUBECTL... > schema/messages.txt

Sources, later ones adding what earlier ones lack:
1. the Go types linked into each kubectl given, newest first (messages.txt was made from 1.33 down
   to 1.27): numbers, JSON names, what is left out when empty, what is a pointer;
2. the crate k8s-pb: numbers and types of what is newer, or not linked into kubectl;
3. the crate k8s-openapi, for the JSON names of 2 and for what is required;
4. facts.txt, written by hand: what 2 and 3 cannot know.
The crates are read where `cargo fetch` has put them. schema.rs tells the format.
"""

import os
import re
import sys
from glob import glob

from go_tags import Program

HERE = os.path.dirname(os.path.abspath(__file__))
REGISTRY = os.path.expanduser("~/.cargo/registry/src/*/")
PB, OPENAPI = "k8s-pb-0.9.0/src", "k8s-openapi-0.29.0/src"
OPENAPI_VERSIONS = ["v1_37", "v1_36", "v1_35", "v1_34", "v1_33"]

# Kinds of these are never stored.
NOT_STORED = {"admission", "apidiscovery", "imagepolicy", "meta", "testapigroup"}
# Read by rules of their own (special.rs).
SPECIAL = {
    "meta/v1.Time": "Time",
    "meta/v1.MicroTime": "MicroTime",
    "meta/v1.FieldsV1": "Raw",
    "resource.Quantity": "Quantity",
    "intstr.IntOrString": "IntOrString",
    "runtime.RawExtension": "Raw",
    "apiextensions/v1.JSON": "Raw",
    "apiextensions/v1beta1.JSON": "Raw",
}
GROUPS = {
    "core": "", "apps": "apps", "autoscaling": "autoscaling", "batch": "batch", "policy": "policy",
    "extensions": "extensions", "rbac": "rbac.authorization.k8s.io",
    "flowcontrol": "flowcontrol.apiserver.k8s.io", "apiserverinternal": "internal.apiserver.k8s.io",
}
SCALARS = {"string": "s", "bool": "b", "int32": "i", "int64": "i", "float64": "d", "[]uint8": "y"}
PB_SCALARS = {"String": "s", "bool": "b", "i32": "i", "i64": "i", "f64": "d", "Vec<u8>": "y"}


class Field:
    """`source` is only said of fields that somebody should look at."""

    def __init__(self, number, name, shape, always, source=None):
        self.number, self.name, self.shape, self.always = number, name, shape, always
        self.source = source

    def __str__(self):
        return f"{self.number} {self.name} {self.shape}{'!' if self.always else ''}"


def package_of(path):
    """`core/v1` for the Go package or Rust module at `path`; None for what is not Kubernetes'."""
    path = path.replace("api_extensions", "apiextensions")
    for pattern in (
        r"^(?:k8s\.io/)?api/(\w+/v\w+)$",
        r"^(?:k8s\.io/)?apimachinery/pkg/apis/(meta/v1)$",
        r"^(?:k8s\.io/)?apimachinery/pkg/(?:api|util)?/?(resource|intstr|runtime)$",
        r"^\w+/pkg/apis/((?:apiextensions|apiregistration)/v\w+)$",
    ):
        if found := re.match(pattern, path):
            return found[1]
    return None


def named(package, name):
    whole = f"{package}.{name}"
    if name in ("ExtraValue", "Verbs"):
        return "Strings"
    return SPECIAL.get(whole, whole)


def from_go(path):
    messages = {}
    for whole, fields in Program(path).structs().items():
        package, name = whole.rsplit(".", 1)
        if not (package := package_of(package)):
            continue
        read = [it for it in (go_field(tag, of) for _, tag, of in fields) if it]
        if any("TypeMeta" in of for _, _, of in fields) and any("ObjectMeta" in f.shape for f in read):
            name += " *"
        messages[f"{package}.{name}"] = read
    return messages


def go_field(tag, of):
    number = re.search(r'protobuf:"\w+,(\d+)', tag)
    json = re.search(r'json:"([^"]*)"', tag)
    if not number or not json or json[1] == "-":
        return None
    name, _, options = json[1].partition(",")
    if options == "inline":
        return Field(int(number[1]), "~", go_shape(of), False)
    return Field(int(number[1]), name, go_shape(of), "omit" not in options)


def go_shape(of):
    if of in SCALARS:
        return SCALARS[of]
    for prefix, mark in (("*", "*"), ("[]", "[]"), ("map[string]", "{}")):
        if of.startswith(prefix):
            return mark + go_shape(of[len(prefix) :])
    package, name = of.split("=")[0].rsplit(".", 1)
    return named(package_of(package), name)


def from_pb():
    """Messages by name in lower case: k8s-pb has its own ideas of capitals."""
    root = glob(REGISTRY + PB)[0]
    messages = {}
    for path in sorted(glob(root + "/**/mod.rs", recursive=True)):
        module = os.path.relpath(os.path.dirname(path), root)
        if not (package := package_of(module)):
            continue
        for name, body in re.findall(r"^pub struct (\w+) \{\n?(.*?)(?:(?<=\{)|^)\}", open(path).read(), re.S | re.M):
            found = re.findall(r'tag = "(\d+)"\s*\)\]\s*pub (?:r#)?(\w+):\s+(.*?),\n(?=\s*(?:///|#\[|$))', body + "\n", re.S)
            messages[f"{package}.{name}"] = [(int(n), field, pb_shape(module, of)) for n, field, of in found]
    return messages


def pb_shape(module, of):
    of = re.sub(r"::core::option::|::prost::alloc::\w+::|\s|,(?=\s*>)", "", of)
    if found := re.fullmatch(r"Option<(.*)>", of):
        inner = found[1]
        if inner in PB_SCALARS:
            return PB_SCALARS[inner]
        return "*" + pb_shape(module, inner)
    if of in PB_SCALARS:
        return PB_SCALARS[of]
    if found := re.fullmatch(r"Vec<(.*)>", of):
        return "[]" + pb_shape(module, found[1])
    if found := re.fullmatch(r"BTreeMap<String,(.*)>", of):
        return "{}" + pb_shape(module, found[1])
    if found := re.fullmatch(r"Box<(.*)>", of):
        return pb_shape(module, found[1])
    *path, name = of.split("::")
    at = module.split("/")
    for step in path:
        at = at[:-1] if step == "super" else [*at, step]
    return named(package_of("/".join(at)), {"Json": "JSON"}.get(name, name))


def from_openapi():
    """By message in lower case: its name, its field names by letters, what it requires."""
    found = {}
    for version in reversed(OPENAPI_VERSIONS):
        root = glob(f"{REGISTRY}{OPENAPI}/{version}")[0]
        for path in glob(root + "/**/*.rs", recursive=True):
            text = open(path).read()
            struct = re.search(r"^pub struct (\w+)(?:<[^>]*>)? \{(.*?)^\}", text, re.S | re.M)
            package = package_of(os.path.relpath(os.path.dirname(path), root))
            if not struct or not package:
                continue
            names = re.findall(r'"([^"]+)" => Field::Key_', text)
            fields = re.findall(r"\n    pub (?:r#)?(\w+): (.*),", struct[2])
            required = {letters(name) for name, of in fields if not of.startswith("Option<")}
            kind = "const KIND: " in text and "metadata: crate::" in text and "ObjectMeta" in struct[2]
            entry = (struct[1] + " *" * kind, {letters(it): it for it in names}, required)
            found[f"{package}.{struct[1]}".lower()] = entry
    return found


def bare(key):
    """The name without what it is marked with."""
    return re.split(" [*?]", key)[0]


def letters(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())


def add_newer(messages, pb, openapi):
    known = {bare(key).lower(): key for key in messages}
    for whole, fields in pb.items():
        package, name = whole.split(".")
        said, names, required = openapi.get(whole.lower(), (name, {}, set()))
        if not names and (older := known.get(whole.lower())):
            names = {letters(it.name): it.name for it in messages[older]}
        key = known.setdefault(whole.lower(), f"{package}.{said}")
        own = messages.setdefault(key, [])
        have = {it.number for it in own}
        like = {} if have else sibling(messages, whole)
        for number, field, shape in fields:
            if number in have:
                continue
            if (older := like.get(number)) and alike(older, field, shape):
                own.append(Field(number, older.name, older.shape.replace(*like["package"]), older.always))
                continue
            json = names.get(letters(field)) or camel(field)
            always = letters(field) in required and "*" not in shape
            # Numbers and flags that need not be said are pointers; texts are empty instead.
            if shape in ("i", "b", "d") and not always:
                shape = "*" + shape
            own.append(Field(number, json, shape, always, "pb"))


def sibling(messages, whole):
    """The fields that a message of this name has in another version of its group."""
    package, name = whole.lower().split(".")
    for key, fields in sorted(messages.items(), reverse=True):
        other, its_name = bare(key).lower().split(".")
        if its_name == name and other != package and other.split("/")[0] == package.split("/")[0]:
            return {"package": (other, package), **{it.number: it for it in fields if not it.source}}
    return {}


def alike(older, field, shape):
    kind = lambda it: re.sub(r"^\*|/v\w+", "", it).lower()
    return older.name in ("~", "metadata") or letters(older.name) == letters(field) and kind(older.shape) == kind(shape)


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(it.capitalize() for it in rest)


def read_facts(messages, path):
    def find(name):
        return next((it for it in messages if bare(it) == name), None)

    def copy(name, other):
        package, own = other.split(".")[0], name.split(".")[0]
        source = find(other)
        fields = []
        for field in messages[source]:
            shape = field.shape
            if f"{package}." in shape:
                target = shape.lstrip("*[]{}")
                shape = shape.replace(package + ".", own + ".")
                if not find(target.replace(package, own)):
                    copy(target.replace(package, own), target)
            fields.append(Field(field.number, field.name, shape, field.always))
        messages[name + source[len(other) :]] = fields

    for line in open(path):
        line = line.split("#")[0].strip()
        if not line:
            continue
        if line[0].isdigit():
            number, name, shape = line.split()
            own[:] = [it for it in own if it.number != int(number)]
            own.append(Field(int(number), name, shape.rstrip("!"), shape.endswith("!")))
            continue
        name, _, copied = (it.strip() for it in line.partition("="))
        if copied:
            copy(name, copied)
            continue
        known = find(bare(name))
        fields = messages.pop(known, [])
        own = messages.setdefault(name if name != bare(name) else known or name, fields)


def gaps(messages, openapi, keep):
    """What k8s-openapi has and nobody gives a number for."""
    by_name = {bare(key).lower(): key for key in keep}

    def names_of(key):
        for field in messages[key]:
            if field.name == "~":
                yield from names_of(by_name[field.shape.lstrip("*").lower()])
            yield letters(field.name)

    for whole, (_, names, _) in sorted(openapi.items()):
        key = by_name.get(whole)
        if key and not key.startswith("meta/"):
            have = {*names_of(key), "apiversion" if key.endswith("*") else "", "kind" if key.endswith("*") else ""}
            for missing in sorted(set(names) - have):
                yield f"{bare(key)} {names[missing]}"


def reachable(messages):
    by_name = {bare(key).lower(): key for key in messages}
    todo = [key for key in messages if key.endswith(" *") and key.split("/")[0] not in NOT_STORED]
    seen = set()
    while todo:
        key = todo.pop()
        if key in seen:
            continue
        seen.add(key)
        for field in messages[key]:
            target = field.shape.lstrip("*[]{}")
            if "." in target:
                if target.lower() not in by_name:
                    sys.exit(f"{key}: {field}: no such message")
                todo.append(by_name[target.lower()])
    return seen


def main():
    messages, openapi = {}, from_openapi()
    for path in sys.argv[1:]:
        for key, fields in from_go(path).items():
            own = messages.setdefault(key, [])
            have = {it.number for it in own}
            own.extend(it for it in fields if it.number not in have)
    add_newer(messages, from_pb(), openapi)
    read_facts(messages, f"{HERE}/facts.txt")
    canonical = {bare(key).lower(): bare(key) for key in messages}
    keep = reachable(messages)
    here = None
    print("# Made by derive.py; src/schema.rs tells the format. Do not edit: see facts.txt.")
    for key in sorted(keep):
        package, name = key.split(".")
        if package != here:
            here = package
            group, _, version = package.partition("/")
            group = GROUPS.get(group, f"{group}.k8s.io")
            print(f"@{package} {group + '/' if group else ''}{version}")
        print(name)
        for field in sorted(messages[key], key=lambda it: it.number):
            if field.source == "pb" and os.environ.get("REVIEW"):
                print(f"{key}: {field}", file=sys.stderr)
            mark = re.match(r"[*\[\]{}]*", field.shape)[0]
            target = field.shape[len(mark) :]
            if "." in target:
                target = canonical[target.lower()]
                target = target.removeprefix(package + ".")
            print(Field(field.number, field.name, mark + target, field.always))
    print("# Known to k8s-openapi, and to no source by its number; named as unknown when met:")
    for gap in gaps(messages, openapi, keep):
        print(f"# {gap}")


main()
