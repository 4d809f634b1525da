"""What people write beside a number and mean for the whole column: percent, currencies, and units of measure."""

from __future__ import annotations

CURRENCY = (
    r"US\$|R\$|C\$|A\$|[$€£¥₹₩₽₺₴₪₫฿]|元|円|원|kr\.?|zł|Kč|Ft|lei|Fr\.|руб\.?|"
    "USD|EUR|GBP|CHF|JPY|CNY|RMB|INR|BRL|CAD|AUD|SEK|NOK|DKK|PLN|CZK|HUF|TRY|RUB|KRW|MXN|ZAR"
)
SHARES = ("%", "‰")
# Left out are letters that rather end a code (12A, 3D, 5K), and those that multiply (200K, 1.5M).
MEASURES = (
    *("kg", "g", "mg", "µg", "μg", "ug", "ng", "lb", "lbs", "oz"),
    *("km", "m", "dm", "cm", "mm", "µm", "μm", "nm", "mi", "ft", "yd", "in", "inch", "inches", "feet", "miles"),
    *("m2", "m²", "cm2", "cm²", "mm2", "mm²", "km2", "km²", "sqft", "sq ft", "sqm", "sq m", "ha", "acre", "acres"),
    *(
        "m3",
        "m³",
        "cm3",
        "cm³",
        "L",
        "l",
        "mL",
        "ml",
        "dL",
        "dl",
        "cl",
        "µL",
        "µl",
        "μL",
        "μl",
        "fL",
        "fl",
        "gal",
        "cc",
    ),
    *("°C", "°F", "℃", "℉", "°", "mmHg", "mm Hg", "hPa", "kPa", "Pa", "mbar", "bar", "psi", "atm"),
    *("km/h", "kmh", "kph", "mph", "m/s", "kn", "rpm", "bpm", "/min", "Hz", "kHz", "MHz", "GHz"),
    *("V", "mV", "µV", "μV", "kV", "mA", "W", "kW", "MW", "Wh", "kWh", "MWh", "mAh", "Ω", "dB", "dBm"),
    *("J", "kJ", "cal", "kcal", "N", "Nm", "hp", "kg/m2", "kg/m²", "kg/m^2", "g/cm3", "g/cm³", "mpg"),
    *("mg/dL", "mg/dl", "g/dL", "g/dl", "g/L", "g/l", "mg/L", "mg/l", "µg/L", "µg/l", "μg/L", "μg/l", "ng/mL", "ng/ml"),
    *("pg/mL", "pg/ml", "mmol/L", "mmol/l", "µmol/L", "µmol/l", "μmol/L", "μmol/l", "umol/L", "mol/L", "mEq/L"),
    *("IU", "IU/L", "U/L", "U/l", "IU/mL", "mIU/L", "ppm", "ppb", "px", "dpi", "kB", "KB", "MB", "GB", "TB", "Mbps"),
    *("ms", "s", "sec", "secs", "second", "seconds", "min", "mins", "minute", "minutes", "h", "hr", "hrs"),
    *("hour", "hours", "day", "days", "week", "weeks", "month", "months", "yr", "yrs", "year", "years"),
)
_KNOWN = frozenset((*SHARES, *MEASURES))
_SINGULAR = {"inches": "inch", "feet": "ft", "miles": "mi"}


def pattern_after() -> str:
    """What may follow a number; longer ones first, since "m" begins "mm"."""
    measures = sorted(MEASURES, key=len, reverse=True)
    return "|".join((*SHARES, CURRENCY, *(measure.replace("^", r"\^") for measure in measures)))


def same(unit: str) -> str:
    """The one form of a unit that is written in several: "years" and "year" are one.

    >>> [same(unit) for unit in ("lbs", "years", "s", "ms", "%")]
    ['lb', 'year', 's', 'ms', '%']
    """
    singular = unit.removesuffix("s")
    return _SINGULAR.get(unit, singular if singular in _KNOWN and len(singular) > 1 else unit)


def exclude_each_other(one: str, other: str) -> bool:
    """Whether a number in one unit is none in the other: 41 per mille are no 41 per cent, and 110 pounds no 110 kg.
    Currencies do not: amounts of another country are other amounts anyway."""
    return one != other and one in _KNOWN and other in _KNOWN
