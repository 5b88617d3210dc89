"""Written text -> text a voice can read: the embedded rewriter. A clean sentence passes unchanged.

Markup, links and emoji go; numerals, dates, times, units, currencies, abbreviations and symbols are spelled out; long
code and tables become a few words. English and Mandarin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from num2words import num2words

REWRITER = ("rules", "1")

_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.S)
_TABLE = re.compile(r"(?:^[ \t]*\|.*\|[ \t]*(?:\n|\Z)){2,}", re.M)
_MARKUP: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[\^[^\]]*\]|\[\d+\]"), ""),
    (re.compile(r"</?[a-zA-Z][^<>]*>"), ""),
    (re.compile(r"^\s{0,3}(?:#{1,6}\s+|>+\s?|[-*+•]\s+|\d{1,3}[.)]\s+|[-*_=]{3,}\s*$)", re.M), ""),
    (re.compile(r"(\*\*\*|\*\*|__|~~|`)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<!\w)_(?=\S)([^_\n]+?)(?<=\S)_(?!\w)"), r"\1"),
)
_URL = re.compile(r"(?:https?://|www\.)([A-Za-z0-9.-]+)(?:[/?#:][^\s<>()，。；！？]*[^\s<>()，。；！？.,;:!?'\"])?/?")
_MAIL = re.compile(r"\b([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)\b")
_END = re.compile(r"[.!?:;,。！？：；，…]$")
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"

_ABBREVIATIONS = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
    "approx.": "approximately", "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Miss",
    "Prof.": "Professor", "Jr.": "Junior", "Sr.": "Senior", "w/": "with", "w/o": "without", "a.m.": "a m",
    "p.m.": "p m", "No.": "number", "Fig.": "figure", "dept.": "department", "min.": "minutes", "hr.": "hours",
}  # fmt: skip
_ABBREVIATION = re.compile(
    r"(?<![\w.])(?:" + "|".join(re.escape(a) for a in sorted(_ABBREVIATIONS, key=len, reverse=True)) + r")(?![\w])"
)
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour", "公里每小时"),
    "m/s": ("meter per second", "meters per second", "米每秒"),
    "mph": ("mile per hour", "miles per hour", "英里每小时"), "km": ("kilometer", "kilometers", "公里"),
    "cm": ("centimeter", "centimeters", "厘米"), "mm": ("millimeter", "millimeters", "毫米"),
    "m": ("meter", "meters", "米"),
    "kg": ("kilogram", "kilograms", "公斤"), "mg": ("milligram", "milligrams", "毫克"), "g": ("gram", "grams", "克"),
    "ml": ("milliliter", "milliliters", "毫升"), "L": ("liter", "liters", "升"), "l": ("liter", "liters", "升"),
    "ms": ("millisecond", "milliseconds", "毫秒"), "s": ("second", "seconds", "秒"), "h": ("hour", "hours", "小时"),
    "min": ("minute", "minutes", "分钟"), "kHz": ("kilohertz", "kilohertz", "千赫"), "Hz": ("hertz", "hertz", "赫兹"),
    "dB": ("decibel", "decibels", "分贝"), "kW": ("kilowatt", "kilowatts", "千瓦"), "W": ("watt", "watts", "瓦"),
    "GB": ("gigabyte", "gigabytes", "G B"), "MB": ("megabyte", "megabytes", "兆"), "ft": ("foot", "feet", "英尺"),
    "lb": ("pound", "pounds", "磅"), "lbs": ("pound", "pounds", "磅"),
    "°C": ("degree Celsius", "degrees Celsius", "摄氏度"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit", "华氏度"), "°": ("degree", "degrees", "度"),
    "%": ("percent", "percent", ""),
}  # fmt: skip
_UNIT = "|".join(re.escape(u) for u in sorted(_UNITS, key=len, reverse=True))
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents", "美元"), "€": ("euro", "euros", "cent", "cents", "欧元"),
    "£": ("pound", "pounds", "penny", "pence", "英镑"), "¥": ("yuan", "yuan", "fen", "fen", "元"),
    "￥": ("yuan", "yuan", "fen", "fen", "元"),
}  # fmt: skip
_MONTHS = "January February March April May June July August September October November December".split()
_SYMBOLS = {
    "en": {"&": "and", "+": "plus", "=": "equals", "×": "times", "÷": "divided by", "≈": "about", "~": "about",
           "@": "at", "#": "number", "<": "less than", ">": "greater than", "→": "to", "±": "plus or minus",
           "/": "or", "§": "section", "©": "", "®": "", "™": "", "•": "", "|": "", "\\": "", "^": "", "*": "",
           "_": " "},
    "zh": {"&": "和", "+": "加", "=": "等于", "×": "乘", "÷": "除以", "≈": "约", "~": "约", "@": "at", "#": "号",
           "<": "小于", ">": "大于", "→": "到", "±": "正负", "/": "或", "|": "", "\\": "", "^": "", "*": "", "_": " "},
}  # fmt: skip
_CODE_WORDS = {"en": "There is some code here.", "zh": "这里有一段代码。"}
_TABLE_WORDS = {"en": "There is a table here.", "zh": "这里有一个表格。"}
_NEEDS_NO_HELP = re.compile(r"[^\W\d_]|[\s.,;:!?'’‘“”\"()\-–—…，。；：！？、《》（）「」]")


def spoken_form(text: str, language: str) -> str:
    """`text` as a speaker would say it; unchanged, to the letter, where it needs no help. Language "en" or "zh"."""
    if not _needs_help(text):
        return text
    text = _CODE.sub(f"\n{_CODE_WORDS[language]}\n", text)
    text = _TABLE.sub(f"\n{_TABLE_WORDS[language]}\n", text)
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    text = _URL.sub(lambda m: _address(m[1].removeprefix("www."), language), text)
    text = _MAIL.sub(lambda m: f"{_address(m[1], language)} at {_address(m[2], language)}", text)
    text = _lines_joined(text, language)
    text = "".join(c for c in text if not _is_pictorial(c))
    text = _chinese(text) if language == "zh" else _english(text)
    for symbol, word in _SYMBOLS[language].items():
        text = text.replace(symbol, f" {word} " if word and language == "en" else word)
    return _tidy(text)


def _needs_help(text: str) -> bool:
    return bool(_NEEDS_NO_HELP.sub("", text)) or "\n" in text or bool(_ABBREVIATION.search(text)) or "www." in text


def _lines_joined(text: str, language: str) -> str:
    stop = "。" if language == "zh" else "."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (" " if language == "en" else "").join(
        line if _END.search(line) or i + 1 == len(lines) else line + stop for i, line in enumerate(lines)
    )


def _address(host: str, language: str) -> str:
    dot = " 点 " if language == "zh" else " dot "
    return dot.join(part.replace("-", " ").replace("_", " ") for part in host.split("."))


def _is_pictorial(character: str) -> bool:
    if character in "\u200d\ufe0e\ufe0f\u20e3" or "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    return unicodedata.category(character) == "So" and character not in "°©®™"


def _tidy(text: str) -> str:
    text = re.sub(r"\(\s*\)|（\s*）", "", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([.,;:!?，。；：！？])", r"\1", text)
    return text.strip()


# -- English ---------------------------------------------------------------------------------------


def _english(text: str) -> str:
    text = _ABBREVIATION.sub(lambda m: _abbreviation(m, text), text)
    steps: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
        (r"\b(\d{4})-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])\b", lambda m: _date(int(m[1]), int(m[2]), int(m[3]))),
        (r"\b([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?(?:\s?([ap])\.?m\b\.?)?", _clock),
        (rf"([$€£¥￥])\s?({_NUMBER})(\s(?:thousand|million|billion|trillion))?", _money),
        (rf"(?<![\w.])([-−–]?)({_NUMBER})\s?({_UNIT})(?![A-Za-z])", _quantity),
        (rf"(?<=\d)\s?[-–]\s?(?={_NUMBER})", lambda m: " to "),
        (r"\b(\d+)(?:st|nd|rd|th)\b", lambda m: _words(int(m[1]), "ordinal")),
        (r"\b(1[1-9]\d\d|20\d\d)s\b", lambda m: _plural(_words(int(m[1]), "year"))),
        (r"(?<![\w.,])#(?=\d)", lambda m: "number "),
        (r"\b1/2\b", lambda m: "one half"),
        (r"\b(\d+)/(\d+)\b", lambda m: f"{_number(m[1])} over {_number(m[2])}"),
        (rf"(?<![\w.,])([-−])?({_NUMBER})(?![\w])", lambda m: ("minus " if m[1] else "") + _number(m[2])),
        (r"\d+", lambda m: f" {_number(m[0])} "),
    )
    for pattern, spell in steps:
        text = re.sub(pattern, spell, text)
    return text


def _abbreviation(match: re.Match[str], text: str) -> str:
    found = match[0]
    if found == "No." and not re.match(r"\s*\d", text[match.end() :]):
        return found
    ends = found.endswith(".") and match.end() == len(text.rstrip())
    return _ABBREVIATIONS[found] + ("." if ends else "")


def _words(value: int | float, kind: str = "cardinal") -> str:
    return num2words(value, to=kind).replace(",", "")


def _plural(word: str) -> str:
    return word[:-1] + "ies" if word.endswith("y") else word + "s"


def _number(text: str) -> str:
    """Digits in words: years as years, codes with a leading zero or more than 12 digits one by one."""
    plain = text.replace(",", "")
    whole, _, decimals = plain.partition(".")
    if (len(whole) > 1 and whole[0] == "0") or len(whole) > 12:
        spoken = " ".join(_words(int(d)) for d in whole)
    elif text == whole and re.fullmatch(r"1[1-9]\d\d|20[1-9]\d", whole):
        spoken = _words(int(whole), "year")
    else:
        spoken = _words(int(whole))
    return f"{spoken} point {' '.join(_words(int(d)) for d in decimals)}" if decimals else spoken


def _date(year: int, month: int, day: int) -> str:
    return f"{_MONTHS[month - 1]} {_words(day, 'ordinal')} {_words(year, 'year')}"


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    past = "" if not minute else f" oh {_words(minute)}" if minute < 10 else f" {_words(minute)}"
    end = f" {match[3]} m" if match[3] else "" if minute else " o'clock" if 1 <= hour <= 12 else " hundred hours"
    return _words(hour) + past + end


def _money(match: re.Match[str]) -> str:
    one, many, small_one, small_many, _ = _CURRENCIES[match[1]]
    whole, _, decimals = match[2].replace(",", "").partition(".")
    if match[3]:
        return f"{_amount(match[2])}{match[3]} {many}"
    spoken = f"{_words(int(whole))} {one if int(whole) == 1 else many}"
    if len(decimals) == 2 and int(decimals):
        spoken += f" and {_words(int(decimals))} {small_one if int(decimals) == 1 else small_many}"
    return spoken


def _amount(text: str) -> str:
    """Like `_number`, but never a year."""
    whole, _, decimals = text.replace(",", "").partition(".")
    spoken = _words(int(whole))
    return f"{spoken} point {' '.join(_words(int(d)) for d in decimals)}" if decimals else spoken


def _quantity(match: re.Match[str]) -> str:
    one, many, _ = _UNITS[match[3]]
    return f"{'minus ' if match[1] else ''}{_amount(match[2])} {one if match[2] == '1' else many}"


# -- Mandarin --------------------------------------------------------------------------------------

_DIGITS = "零一二三四五六七八九"


def _chinese(text: str) -> str:
    steps: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
        (r"(\d{4})-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])",
         lambda m: f"{_singly(m[1])}年{_integer(int(m[2]))}月{_integer(int(m[3]))}日"),
        (r"(\d{4})(?=年)", lambda m: _singly(m[1])),
        (r"([01]?\d|2[0-3])[:：]([0-5]\d)(?:[:：][0-5]\d)?", _chinese_clock),
        (rf"({_NUMBER})\s?%", lambda m: f"百分之{_decimal(m[1])}"),
        (rf"([$€£¥￥])\s?({_NUMBER})", lambda m: _decimal(m[2]) + _CURRENCIES[m[1]][4]),
        (rf"([-−]?)({_NUMBER})\s?({_UNIT})(?![A-Za-z])",
         lambda m: ("负" if m[1] else "") + _measured(m[2]) + _UNITS[m[3]][2]),
        (rf"(?<=\d)\s?[-–~～]\s?(?={_NUMBER})", lambda m: "到"),
        (r"(\d+)/(\d+)", lambda m: f"{_decimal(m[2])}分之{_decimal(m[1])}"),
        (r"(?<![\d.])2(?=[个只次位条张本件杯辆间台])", lambda m: "两"),
        (rf"(?<![A-Za-z\d])[-−](?={_NUMBER})", lambda m: "负"),
        (_NUMBER, lambda m: _decimal(m[0])),
    )  # fmt: skip
    for pattern, spell in steps:
        text = re.sub(pattern, spell, text)
    return text


def _singly(digits: str) -> str:
    return "".join(_DIGITS[int(d)] for d in digits)


def _decimal(text: str) -> str:
    whole, _, decimals = text.replace(",", "").partition(".")
    long = (len(whole) > 1 and whole[0] == "0") or len(whole) > 12
    spoken = _singly(whole) if long else _integer(int(whole))
    return f"{spoken}点{_singly(decimals)}" if decimals else spoken


def _measured(text: str) -> str:
    return "两" if text == "2" else _decimal(text)


def _chinese_clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    past = "" if not minute else ("零" if minute < 10 else "") + f"{_integer(minute)}分"
    return f"{'两' if hour == 2 else _integer(hour)}点{past or '整'}"


def _integer(value: int) -> str:
    """0 to 10**12 - 1 in Chinese numerals."""
    if value < 10:
        return _DIGITS[value]
    for unit, name in ((10**8, "亿"), (10**4, "万")):
        if value >= unit:
            high, low = divmod(value, unit)
            gap = "零" if 0 < low < unit // 10 else ""
            return _integer(high) + name + (gap + _integer(low) if low else "")
    spoken, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, unit)
        if digit:
            spoken += ("零" if gap else "") + _DIGITS[digit] + name
            gap = False
        elif spoken:
            gap = True
    return spoken.removeprefix("一") if spoken.startswith("一十") else spoken
