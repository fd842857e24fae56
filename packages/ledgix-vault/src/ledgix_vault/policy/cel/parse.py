"""From the text of a condition to its tree.

The grammar is a subset of CEL's, so every condition reads the same to any CEL engine; `money` and `given` are
functions of ours. Bounds are part of the language: length, number of nodes and depth are refused here, so that
whatever comes later may recurse.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NoReturn, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.cel.tree import (
    Binary,
    Choice,
    Each,
    Function,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Name,
    Negative,
    Node,
    Not,
    Select,
    walk,
)

LONGEST_TEXT = 4000
MOST_NODES = 400
DEEPEST = 32
LARGEST_INT = 2**53 - 1

GRAMMAR = r"""
?start: choice
?choice: alternative
       | alternative ASK alternative ":" choice -> choose
?alternative: conjunction
            | conjunction (OR conjunction)+   -> logic
?conjunction: relation
            | relation (AND relation)+        -> logic
?relation: sum
         | sum RELATION sum                   -> binary
         | sum IN sum                         -> binary
?sum: product
    | sum SIGN product                        -> binary
?product: unary
        | product TIMES unary                 -> binary
?unary: member
      | NOT unary                             -> invert
      | SIGN unary                            -> negate
?member: primary
       | member "." NAME                      -> select
       | member "." NAME "(" operands ")"     -> method
       | member "[" choice "]"                -> index
?primary: NAME                                -> name
        | NAME "(" operands ")"               -> function
        | INTEGER                             -> integer
        | DECIMAL                             -> decimal
        | STRING                              -> string
        | TRUE                                -> true
        | FALSE                               -> false
        | NULL                                -> null
        | "(" choice ")"
        | OPEN [choice ("," choice)*] "]"     -> list_of
        | BRACE [entry ("," entry)*] "}"      -> map_of
entry: STRING ":" choice
operands: [choice ("," choice)*]

ASK: "?"
OR: "||"
AND: "&&"
RELATION: "==" | "!=" | "<=" | ">=" | "<" | ">"
IN: "in"
SIGN: "+" | "-"
TIMES: "*"
NOT: "!"
OPEN: "["
BRACE: "{"
TRUE: "true"
FALSE: "false"
NULL: "null"
DECIMAL: /(0|[1-9][0-9]*)\.[0-9]+/
INTEGER: /0|[1-9][0-9]*/
STRING: /"([^"\\\n\r]|\\.)*"|'([^'\\\n\r]|\\.)*'/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
%ignore /[ \t\n\r]+/
"""

_RESERVED = "as break const continue else false for function if import in let loop package namespace null return true"
RESERVED = frozenset((*_RESERVED.split(), "var", "void", "while"))
QUANTIFIERS = ("all", "exists", "exists_one", "map", "filter")
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_SURROGATES = range(0xD800, 0xE000)
_HINTS = {
    "=": "write `==` to compare",
    "&": "write `&&`",
    "|": "write `||`",
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`",
    "is": "write `==`",
    "/": "division is left out of the language, since it isn't exact",
    "%": "there is no remainder and no percent sign in conditions",
}


@v_args(inline=True)
class _Build(Transformer[Token, Node]):
    """Each method turns one grammar alternative into a node."""

    def logic(self, first: Node, *rest: Token | Node) -> Node:
        operands = [first, *(part for part in rest if not isinstance(part, Token))]
        operator = next(part for part in rest if isinstance(part, Token))
        return Logic(_at(operator), str(operator), tuple(operands))

    def binary(self, left: Node, operator: Token, right: Node) -> Node:
        return Binary(_at(operator), str(operator), left, right)

    def invert(self, mark: Token, operand: Node) -> Node:
        return Not(_at(mark), operand)

    def negate(self, mark: Token, operand: Node) -> Node:
        if mark != "-":
            raise ConditionError("a number takes no `+` in front of it", _at(mark))
        match operand:
            case Literal(value=Decimal() as value):
                return Literal(_at(mark), value.copy_negate())
            case Literal(value=int() as value) if not isinstance(value, bool):
                return Literal(_at(mark), -value)
            case _:
                return Negative(_at(mark), operand)

    def select(self, of: Node, field: Token) -> Node:
        if field in RESERVED:
            raise ConditionError(f'`{field}` is a reserved word; write ["{field}"]', _at(field))
        match of, str(field):
            case Name(at=at, name="context"), "facts":
                return Name(at, "facts")
            case _, name:
                return Select(_at(field), of, name)

    def index(self, of: Node, key: Node) -> Node:
        return Index(key.at, of, key)

    def method(self, of: Node, name: Token, operands: list[Node]) -> Node:
        if name in QUANTIFIERS:
            return _each(name, of, operands)
        return Function(_at(name), str(name), (of, *operands), is_method=True)

    def function(self, name: Token, operands: list[Node]) -> Node:
        return Function(_at(name), str(name), tuple(operands), is_method=False)

    def operands(self, *operands: Node | None) -> list[Node]:
        return [operand for operand in operands if operand is not None]

    def name(self, name: Token) -> Node:
        if name in RESERVED:
            raise ConditionError(f"`{name}` is a reserved word", _at(name))
        return Name(_at(name), str(name))

    def list_of(self, mark: Token, *items: Node | None) -> Node:
        return ListOf(_at(mark), tuple(item for item in items if item is not None))

    def choose(self, condition: Node, mark: Token, then: Node, other: Node) -> Node:
        return Choice(_at(mark), condition, then, other)

    def entry(self, key: Token, value: Node) -> tuple[Token, Node]:
        return key, value

    def map_of(self, mark: Token, *entries: tuple[Token, Node] | None) -> Node:
        found: dict[str, Node] = {}
        for key, value in (entry for entry in entries if entry is not None):
            if (name := _unescape(key)) in found:
                raise ConditionError(f'"{name}" stands here twice', _at(key))
            found[name] = value
        return MapOf(_at(mark), tuple(found.items()))

    def integer(self, digits: Token) -> Node:
        if len(digits) > len(str(LARGEST_INT)) or int(digits) > LARGEST_INT:
            raise ConditionError(f"no argument can be as large as {digits}: JSON numbers end at 2^53-1", _at(digits))
        return Literal(_at(digits), int(digits))

    def decimal(self, digits: Token) -> Node:
        if len(digits) > 40:
            raise ConditionError("a number has at most 40 characters", _at(digits))
        return Literal(_at(digits), Decimal(digits))

    def string(self, quoted: Token) -> Node:
        return Literal(_at(quoted), _unescape(quoted))

    def true(self, word: Token) -> Node:
        return Literal(_at(word), True)

    def false(self, word: Token) -> Node:
        return Literal(_at(word), False)

    def null(self, word: Token) -> Node:
        return Literal(_at(word), None)


# With the transformer inside, the parser builds nodes as it goes: no recursion, however deep the text nests.
_PARSER = Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=_Build(), maybe_placeholders=True)


def parse(text: str) -> Node:
    """The tree of `text`; raises ConditionError with the offset of the flaw."""
    if len(text) > LONGEST_TEXT:
        raise ConditionError(f"a condition has at most {LONGEST_TEXT} characters; split it into several")
    if not text.strip():
        raise ConditionError("an empty condition says nothing")
    try:
        root = cast(Node, _PARSER.parse(text))
    except UnexpectedToken as error:
        _refuse(text, error.token, _at(error.token) if error.token.type != "$END" else len(text))
    except UnexpectedCharacters as error:
        offset = error.pos_in_stream or 0
        _refuse(text, text[offset], offset)
    except UnexpectedEOF:
        _refuse(text, "", len(text))
    _bound(root)
    return root


def quote(text: str) -> str:
    """`text` as a string literal of the language."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _at(token: Token) -> int:
    assert token.start_pos is not None
    return token.start_pos


def _each(name: Token, of: Node, operands: list[Node]) -> Node:
    match operands:
        case [Name(name=variable), body]:
            return Each(_at(name), str(name), of, variable, body)
        case _:
            raise ConditionError(f"`{name}` takes a variable and a condition: `.{name}(item, item > 0)`", _at(name))


def _unescape(quoted: Token) -> str:
    def replace(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "uU" and len(code) > 1:
            number = int(code[1:], 16)
            if number in _SURROGATES or number > 0x10FFFF:
                raise ConditionError(f"\\{code} is no character", _at(quoted) + 1 + match.start())
            return chr(number)
        if code not in _ESCAPES:
            raise ConditionError(
                f"unknown escape \\{code}; known are \\\\ \\\" \\' \\n \\r \\t \\uXXXX", _at(quoted) + 1 + match.start()
            )
        return _ESCAPES[code]

    return _ESCAPE.sub(replace, quoted[1:-1])


def _refuse(text: str, found: str, offset: int) -> NoReturn:
    if offset >= len(text):
        raise ConditionError("the condition ends too early", len(text.rstrip()))
    message = "a string that is not closed" if found[0] in "\"'" else f"`{found}` is not expected here"
    hint = _HINTS.get(str(found), _HINTS.get(found[0], ""))
    raise ConditionError(f"{message}; {hint}" if hint else message, offset)


def _bound(root: Node) -> None:
    for count, (node, depth) in enumerate(walk(root), start=1):
        if depth > DEEPEST:
            raise ConditionError(f"nested more than {DEEPEST} deep", node.at)
        if count > MOST_NODES:
            raise ConditionError(f"more than {MOST_NODES} operations; split it into several conditions", node.at)
