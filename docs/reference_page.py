"""Makes the page that the service shows at /docs, from openapi.yaml and docs/errors.md.

    python docs/reference_page.py    writes Sources/CDocuments/reference.html

The page has no script and asks for nothing else: it works without a network.
"""

import html
import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "Sources/CDocuments/reference.html"


def escaped(text):
    return html.escape(str(text).replace("\r\n", "\n"), quote=True)


def inline(text):
    """A line of Markdown: code, bold, italics and nothing else."""
    text = escaped(text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)


def paragraphs(text):
    parts = re.split(r"\n\s*\n", text.strip())
    return "".join(f"<p>{inline(' '.join(part.split()))}</p>\n" for part in parts)


def as_json(value):
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre><code>{escaped(text)}</code></pre>\n"


class Page:
    def __init__(self, document, errors):
        self.document = document
        self.errors = errors

    def resolved(self, value):
        """What a reference stands for, together with what stands beside it."""
        while "$ref" in value:
            target = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            value = target | {name: v for name, v in value.items() if name != "$ref"}
        return value

    def kind(self, schema):
        """The type of a value in a few words, with a link where it has a name."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return f'<a href="#schema-{name}">{name}</a>'
        if "const" in schema:
            return f"<code>{escaped(json.dumps(schema['const']))}</code>"
        if "enum" in schema:
            return " ".join(f"<code>{escaped(value)}</code>" for value in schema["enum"])
        for name in ("oneOf", "anyOf"):
            if name in schema:
                return " or ".join(self.kind(one) for one in schema[name])
        if "items" in schema:
            return f"array of {self.kind(schema['items'])}"
        names = schema.get("type", "object")
        return escaped(" or ".join([names] if isinstance(names, str) else names))

    def members(self, schema):
        required = schema.get("required", [])
        rows = "".join(
            f"<tr><td><code>{escaped(name)}</code></td><td>{self.kind(member)}</td>"
            f"<td>{'required' if name in required else ''}</td>"
            f"<td>{inline(member.get('description', ''))}</td></tr>\n"
            for name, member in schema.get("properties", {}).items())
        return f"<table>\n{rows}</table>\n" if rows else ""

    def parameters(self, operation):
        rows = ""
        for parameter in map(self.resolved, operation.get("parameters", [])):
            note = parameter.get("description") or self.resolved(
                parameter["schema"]).get("description", "")
            rows += (
                f"<tr><td><code>{escaped(parameter['name'])}</code></td>"
                f"<td>{parameter['in']}</td><td>{self.kind(parameter['schema'])}</td>"
                f"<td>{'required' if parameter.get('required') else ''}</td>"
                f"<td>{inline(note)}</td></tr>\n")
        return f"<h4>Parameters</h4>\n<table>\n{rows}</table>\n" if rows else ""

    def examples(self, content):
        text = ""
        for example in map(self.resolved, content.get("examples", {}).values()):
            value = example["value"]
            text += (f"<pre><code>{escaped(value)}</code></pre>\n" if isinstance(value, str)
                     else as_json(value))
        return text

    def body(self, operation):
        if "requestBody" not in operation:
            return ""
        body = operation["requestBody"]
        content = body["content"]["application/json"]
        need = "" if body["required"] else ", which may be left out"
        return (f"<h4>Body</h4>\n<p>{self.kind(content['schema'])}{need}</p>\n"
                + self.examples(content))

    def codes(self, schema):
        enum = self.resolved(schema).get("properties", {}).get("code", {}).get("enum", [])
        return " ".join(f'<a href="#{code}"><code>{code}</code></a>' for code in enum)

    def responses(self, operation):
        rows, examples = "", ""
        for status, response in operation["responses"].items():
            response = self.resolved(response)
            kinds = []
            for content in response.get("content", {}).values():
                codes = self.codes(content["schema"])
                kinds.append(codes or self.kind(content["schema"]))
                if status < "300":
                    examples += self.examples(content)
            headers = " ".join(f"<code>{escaped(name)}</code>" for name in response["headers"])
            rows += (f"<tr><td>{status}</td><td>{inline(response['description'])}"
                     f"<br><span class=\"note\">{headers}</span></td>"
                     f"<td>{', '.join(kinds)}</td></tr>\n")
        return f"<h4>Answers</h4>\n{examples}<table>\n{rows}</table>\n"

    def access(self, operation):
        names = {"apiKey": "an API key", "userToken": "a user's token"}
        ways = [f"{names[kind]} with <code>{scopes[0]}</code>"
                for way in operation["security"] for kind, scopes in way.items()]
        return f"<p class=\"note\">Takes {' or '.join(ways) if ways else 'no token'}.</p>\n"

    def operations(self):
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield path, method.upper(), operation

    def operation(self, path, method, operation):
        return (
            f"<details id=\"{operation['operationId']}\">\n<summary><span class=\"method\">"
            f"{method}</span> <code>{escaped(path)}</code> {inline(operation['summary'])}"
            f"</summary>\n<div>\n{paragraphs(operation.get('description', ''))}"
            f"{self.access(operation)}{self.parameters(operation)}{self.body(operation)}"
            f"{self.responses(operation)}</div>\n</details>\n")

    def contents(self):
        text = "<nav>\n"
        for tag in self.document["tags"]:
            links = "".join(
                f"<li><a href=\"#{operation['operationId']}\">{inline(operation['summary'])}"
                "</a></li>\n" for _, _, operation in self.operations()
                if tag["name"] in operation["tags"])
            text += f"<h3><a href=\"#{tag['name']}\">{tag['name']}</a></h3>\n<ul>\n{links}</ul>\n"
        text += '<p><a href="#Schemas">Schemas</a>, <a href="#Errors">Errors</a></p>\n'
        return f"{text}</nav>\n"

    def schemas(self):
        text = '<h2 id="Schemas">Schemas</h2>\n'
        for name, schema in self.document["components"]["schemas"].items():
            limits = ", ".join(
                f"<code>{limit}: {escaped(schema[limit])}</code>"
                for limit in ("pattern", "minLength", "maxLength", "minimum", "maximum",
                              "minItems", "maxItems", "maxProperties") if limit in schema)
            kind = self.members(schema) or f"<p>{self.kind(schema)}</p>\n"
            text += (f"<details id=\"schema-{name}\">\n<summary><code>{name}</code></summary>\n"
                     f"<div>\n{paragraphs(schema.get('description', ''))}{kind}"
                     f"{f'<p>{limits}</p>' if limits else ''}</div>\n</details>\n")
        return text

    def explained_errors(self):
        introduction, *entries = re.split(r"^## ", self.errors, flags=re.MULTILINE)
        text = f'<h2 id="Errors">Errors</h2>\n{paragraphs(introduction.partition(chr(10))[2])}'
        for entry in entries:
            code, _, explanation = entry.partition("\n")
            text += f'<h3 id="{code}"><code>{code}</code></h3>\n{paragraphs(explanation)}'
        return text

    def __str__(self):
        info = self.document["info"]
        style = (ROOT / "Sources/CDocuments/reference.css").read_text()
        sections = ""
        for tag in self.document["tags"]:
            sections += f"<h2 id=\"{tag['name']}\">{tag['name']}</h2>\n"
            sections += paragraphs(tag["description"])
            for path, method, operation in self.operations():
                if tag["name"] in operation["tags"]:
                    sections += self.operation(path, method, operation)
        page = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escaped(info['title'])} {info['version']}</title>\n"
            f"<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{escaped(info['title'])} "
            f"{info['version']}</h1>\n{paragraphs(info['description'])}"
            '<p>The same for programs: <a href="/openapi.yaml">openapi.yaml</a>.</p>\n'
            f"{self.contents()}{sections}{self.schemas()}{self.explained_errors()}"
            "</main>\n</body>\n</html>\n")
        return re.sub(r"[ \t]+$", "", page, flags=re.MULTILINE)


def made():
    document = yaml.safe_load((ROOT / "openapi.yaml").read_text())
    return str(Page(document, (ROOT / "docs/errors.md").read_text()))


if __name__ == "__main__":
    PAGE.write_text(made())
