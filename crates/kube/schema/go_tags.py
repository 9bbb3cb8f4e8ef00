"""Reads the struct types, with their tags, out of a Go program.

kubectl links the very types that an API server serialises, and Go keeps for each what its
reflection needs: names, tags, pointers. Source of the layout: Go `src/internal/abi/type.go`.
Works for programs of Go 1.22 to 1.24 on amd64 that are not position independent.
"""

import re
import struct
import subprocess

KINDS = {
    1: "bool", 2: "int", 3: "int8", 4: "int16", 5: "int32", 6: "int64", 7: "uint", 8: "uint8",
    9: "uint16", 10: "uint32", 11: "uint64", 12: "uintptr", 13: "float32", 14: "float64",
    15: "complex64", 16: "complex128", 17: "array", 18: "chan", 19: "func", 20: "interface",
    21: "map", 22: "ptr", 23: "slice", 24: "string", 25: "struct", 26: "unsafe",
}
UNCOMMON, EXTRA_STAR, NAMED = 1, 2, 4


class Program:
    def __init__(self, path):
        self.data = open(path, "rb").read()
        table = subprocess.check_output(["readelf", "-SW", path], text=True)
        row = r"^\s*\[ *\d+\] (\S+) +\S+ +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)"
        rows = re.findall(row, table, re.M)
        sections = {name: [int(it, 16) for it in rest] for name, *rest in rows}
        # `runtime.types`, what offsets are counted from, is where read-only data begins.
        self.base, self.offset, _ = sections[".rodata"]
        _, self.links, self.links_size = sections[".typelink"]
        self.types = {}

    def structs(self):
        """Every struct with a name: `package.Name` -> [(go name, tag, type)]."""
        for at in range(self.links, self.links + self.links_size, 4):
            self.type_at(self.base + struct.unpack_from("<i", self.data, at)[0])
        named = (it for it in self.types.values() if it["kind"] == "struct" and it["path"])
        return {it["path"]: [(n, t, described(f)) for n, t, f in it["fields"]] for it in named}

    def at(self, address):
        return address - self.base + self.offset

    def word(self, at):
        return struct.unpack_from("<Q", self.data, at)[0]

    def name_at(self, address):
        at = self.at(address)
        flags = self.data[at]
        text, at = self.text_at(at + 1)
        return text, self.text_at(at)[0] if flags & 2 else ""

    def text_at(self, at):
        length = shift = 0
        while True:
            byte = self.data[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return self.data[at : at + length].decode(), at + length

    def type_at(self, address):
        if address in self.types:
            return self.types[address]
        at = self.at(address)
        flags, kind = self.data[at + 20], KINDS[self.data[at + 23] & 31]
        text = self.name_at(self.base + struct.unpack_from("<i", self.data, at + 40)[0])[0]
        text = text[1:] if flags & EXTRA_STAR else text
        it = {"kind": kind, "named": bool(flags & NAMED), "path": None}
        self.types[address] = it
        if kind in ("ptr", "slice", "array"):
            it["of"] = self.type_at(self.word(at + 48))
        elif kind == "map":
            it["of"] = self.type_at(self.word(at + 56))
        elif kind == "struct":
            fields, count = self.at(self.word(at + 56)), self.word(at + 64)
            words = struct.iter_unpack("<QQQ", self.data[fields : fields + 24 * count])
            it["fields"] = [(*self.name_at(name), self.type_at(of)) for name, of, _ in words]
        if it["named"] and flags & UNCOMMON and kind in ("struct", "slice"):
            uncommon = at + (80 if kind == "struct" else 56)
            package = struct.unpack_from("<i", self.data, uncommon)[0]
            package = self.name_at(self.base + package)[0] if package else ""
            it["path"] = f"{package}.{text.split('.')[-1]}"
        return it


def described(it):
    """`*int32`, `[]k8s.io/api/core/v1.Container`, `map[string]string`."""
    kind = it["kind"]
    if kind == "struct":
        return it["path"] or "struct"
    if kind == "slice" and it["path"] and it["of"]["kind"] != "uint8":
        return f"{it['path']}=[]{described(it['of'])}"
    prefix = {"ptr": "*", "slice": "[]", "map": "map[string]"}.get(kind)
    return prefix + described(it["of"]) if prefix else kind
