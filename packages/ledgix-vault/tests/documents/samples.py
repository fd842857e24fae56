"""Documents that tests make, the honest ones and the hostile ones."""

from __future__ import annotations

import io
import zipfile
import zlib

from fpdf import FPDF

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STYLES = (
    f"<w:styles {W}>"
    '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Mine"><w:name w:val="Mine"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style></w:styles>'
)


def pdf(*pages: str, password: str | None = None) -> bytes:
    """A PDF with a text layer; an empty text makes an empty page."""
    made = FPDF()
    made.set_font("helvetica", size=11)
    if password is not None:
        made.set_encryption(owner_password=password, user_password=password)
    for text in pages:
        made.add_page()
        if text:
            made.multi_cell(0, 6, text)
    return bytes(made.output())


def docx(body: str, *, zipped: int = zipfile.ZIP_DEFLATED, prolog: str = "", **parts: str) -> bytes:
    """A DOCX with that body; further parts by name (`comments`, `footnotes`, `styles`)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipped) as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr("word/document.xml", f"{prolog}<w:document {W}><w:body>{body}</w:body></w:document>")
        for name, text in parts.items():
            package.writestr(f"word/{name}.xml", text)
    return file.getvalue()


def paragraph(text: str, style: str = "", run: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:rPr>{run}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def zip_bomb(megabytes: int) -> bytes:
    """A DOCX whose body is so many megabytes of one letter; a thousandth of that as a file."""
    return docx(paragraph("a" * (megabytes * 1024 * 1024)))


def lying_zip() -> bytes:
    """The same, with a body that its directory declares as 100 bytes long."""
    honest = zip_bomb(200)
    with zipfile.ZipFile(io.BytesIO(honest)) as package:
        size = package.getinfo("word/document.xml").file_size
    return honest.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))


def flate_bomb(megabytes: int) -> bytes:
    """A PDF whose one page is so many megabytes of spaces, packed three times."""
    content = b" " * (megabytes * 1024 * 1024)
    for _ in range(3):
        content = zlib.compress(content, 9)
    return raw_pdf(content, b"/Filter [/FlateDecode /FlateDecode /FlateDecode]")


def looping_pdf() -> bytes:
    """A PDF whose page tree contains itself."""
    return raw_pdf(b"", b"", kids=b"[2 0 R 2 0 R]")


def raw_pdf(content: bytes, filters: bytes, kids: bytes = b"[3 0 R]") -> bytes:
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids " + kids + b" /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F << /Type /Font"
        b" /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length " + str(len(content)).encode() + b" " + filters + b" >>\nstream\n" + content + b"\nendstream",
    ]
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += str(number).encode() + b" 0 obj\n" + body + b"\nendobj\n"
    table = b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    end = f"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n".encode()
    return out + b"xref\n0 5\n0000000000 65535 f \n" + table + end


ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]>"
)
EXTERNAL = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
