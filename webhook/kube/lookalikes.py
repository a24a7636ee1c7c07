"""Characters that editors, web pages and input methods put in the place of ASCII ones.

No label, name or rule has any of them, but text that is pasted from a document or a chat does.
"""

import unicodedata

QUOTES = (
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u00b4\u2032\u2033"
)

_ASCII = {
    **dict.fromkeys("\u2265\u2267\u2a7e", ">="),
    **dict.fromkeys("\u2264\u2266\u2a7d", "<="),
    "\u2260": "!=",
    "\u2014": "--",  # an editor's form of two hyphens
    "\u2212": "-",
    **dict.fromkeys("\u2044\u2215", "/"),
    "\u2236": ":",
    "\u3001": ",",
    **dict.fromkeys(QUOTES, ""),
}
_WITHOUT_QUOTES = str.maketrans("", "", "\"'`")


def to_ascii(text: str) -> str:
    """Replace lookalikes by the ASCII characters that are meant; all others stay.

    Invisible characters are left out, and quotes too: neither labels nor rules have any.
    """
    return text if text.isascii() else "".join(map(_to_ascii, text))


def to_plain_entry(text: str) -> str:
    """Return an entry of a list such as `k=v,k2=v2` in ASCII and without quotes of any kind."""
    return to_ascii(text).translate(_WITHOUT_QUOTES)


def _to_ascii(character: str) -> str:
    if character.isascii():
        return character
    if (known := _ASCII.get(character)) is not None:
        return known
    match unicodedata.category(character):
        case "Cf":  # zero-width spaces, byte order marks, direction marks, soft hyphens
            return ""
        case "Pd":
            return "-"
    # full-width forms, no-break spaces, ligatures
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain.isascii() and (len(plain) == 1 or plain.isalpha()) else character
