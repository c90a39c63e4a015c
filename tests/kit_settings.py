"""Configurations: one that is good, and every way of breaking it that we know; for tests of the door and of starts."""

import base64

from gateway.configuration.toml_file import LARGEST_BYTES

KEY = "ed25519:" + base64.b64encode(bytes(range(32))).decode()
PIN = "scrypt:" + ":".join(base64.b64encode(bytes(n)).decode() for n in (16, 32))
GOOD = f"""
[venue]
id = "zj-no1"
name = "考点"

[[session]]
name = "语文"
start = 2026-06-07T09:00:00
end = 2026-06-07T11:30:00

[custody]
start = 2026-06-05T16:00:00
end = 2026-06-10T18:00:00

[[person]]
id = "li-wei"
name = "李伟"
may = ["ack", "reset", "open-window"]
pin = "{PIN}"

[[person]]
id = "wang-fang"
name = "王芳"
may = ["open-window"]
pin = "{PIN}"
key = "{KEY}"

[[station]]
id = "county-command"
key = "{KEY}"
streams = ["custody", "gateway"]

[bus.rs485]
port = "/dev/serial/by-id/one"

[device.gate-noise]
driver = "renke_rs_zs"
bus = "rs485"
address = 1

[device.hall-dust]
driver = "pms5003"
port = "/dev/serial/by-id/two"

[contact.paper-room-door]
kind = "seal"
pin = 17
safe = "low"
pin_other = 18

[contact.leak-button]
kind = "leak"
pin = 27
safe = "low"
pin_other = 5
lamp_pin = 22

[rule.noise]
point = "gate-noise/laeq_1min"
above = 55.0
clear_below = 53.0
during = ["session"]

[mqtt]
host = "broker.example"
tls = {{}}
"""

# name: (what is replaced, by what, the key that is named, words of the complaint, words of the remedy)
BROKEN: dict[str, tuple[str, str, str, str, str]] = {
    "unknown key": ("pin_other = 18", "pin_othr = 18", "contact.paper-room-door.pin_othr", "no key", "pin_other"),
    "unknown table": ("[mqtt]", "[mqt]", "mqt", "no key mqt", "mqtt"),
    "unknown key of an array": ('name = "语文"', 'nam = "语文"', "session[1].nam", "no key", "name"),
    "number in quotes": ("pin = 17", 'pin = "17"', "contact.paper-room-door.pin", "text in quotes", "pin = 17"),
    "true for a number": ("pin = 17", "pin = true", "contact.paper-room-door.pin", "true", "pin = 17"),
    "pin that the header lacks": ("pin = 17", "pin = 40", "contact.paper-room-door.pin", "out of range", "27"),
    "pin twice": ("lamp_pin = 22", "lamp_pin = 17", "contact.leak-button.lamp_pin", "already", "of its own"),
    "pin twice in one contact": (
        "pin_other = 5",
        "pin_other = 27",
        "contact.leak-button.pin_other",
        "27",
        "of its own",
    ),
    "loop to 3.3 V on a pulled-up pin": (
        'pin = 27\nsafe = "low"',
        'pin = 2\nsafe = "high"',
        "contact.leak-button.pin",
        "pulled up",
        "another pin",
    ),
    "no kind": ('kind = "leak"\n', "", "contact.leak-button.kind", "missing", "kind"),
    "misspelt kind": ('kind = "leak"', 'kind = "leek"', "contact.leak-button.kind", "'leek'", "did you mean leak"),
    "no safe": ('pin = 27\nsafe = "low"', "pin = 27", "contact.leak-button.safe", "silent", "closed loop"),
    "glitch in seconds": (
        "lamp_pin = 22",
        'lamp_pin = 22\nglitch = "20s"',
        "contact.leak-button.glitch",
        "lost",
        '"20ms"',
    ),
    "glitch without unit": ("lamp_pin = 22", "glitch = 20", "contact.leak-button.glitch", "20", '"20ms"'),
    "settle under glitch": ("lamp_pin = 22", 'settle = "1ms"', "contact.leak-button.settle", "shorter", "50ms"),
    "name in capitals": (
        "[contact.leak-button]",
        "[contact.Leak]",
        "contact.Leak",
        "cannot be a name",
        "small letters",
    ),
    "contact as an array": (
        "[contact.leak-button]",
        "[[contact.leak-button]]",
        "contact.leak-button",
        "where a table belongs",
        "[contact.leak-button]",
    ),
    "session with single brackets": ("[[session]]", "[session]", "session", "single brackets", "[[session]]"),
    "no venue": ('[venue]\nid = "zj-no1"\nname = "考点"', "", "venue", "missing", "venue"),
    "impossible id": ('id = "zj-no1"', 'id = "湛江"', "venue.id", "cannot be a name", "a-z"),
    "impossible zone": (
        'name = "考点"',
        'name = "x"\ntimezone = "Asia/Shangai"',
        "venue.timezone",
        "no time zone",
        "Asia/Sh",
    ),
    "zone out of the way": (
        'name = "考点"',
        'name = "x"\ntimezone = "../x"',
        "venue.timezone",
        "no time zone",
        "Shanghai",
    ),
    "latitude of nowhere": ('name = "考点"', 'name = "x"\nlatitude = 91.0', "venue.latitude", "out of range", "90"),
    "session backwards": (
        "end = 2026-06-07T11:30:00",
        "end = 2026-06-07T08:30:00",
        "session[1].end",
        "not after",
        "later",
    ),
    "session on a day that is none": ("2026-06-07T09:00:00", "2026-06-31T09:00:00", "", "no such day", "2026-06-07"),
    "session as a date": ("2026-06-07T09:00:00", "2026-06-07", "session[1].start", "a date or time", "T09:00:00"),
    "session in quotes": ("2026-06-07T09:00:00", '"2026-06-07T09:00:00"', "session[1].start", "quotes", "T09:00:00"),
    "session in another zone": (
        "2026-06-07T09:00:00",
        "2026-06-07T09:00:00Z",
        "session[1].start",
        "not understood",
        "leave out Z",
    ),
    "sessions that overlap": (
        "[custody]",
        '[[session]]\nname = "b"\nstart = 2026-06-07T11:00:00\nend = 2026-06-07T12:00:00\n[custody]',
        "session[2]",
        "before the one before",
        "11:30",
    ),
    "listening outside its session": (
        "end = 2026-06-07T11:30:00",
        "end = 2026-06-07T11:30:00\nlistening = [{ start = 2026-06-07T11:20:00, end = 2026-06-07T11:45:00 }]",
        "session[1].listening[1]",
        "not within",
        "11:30",
    ),
    "custody backwards": ("2026-06-10T18:00:00", "2026-06-01T18:00:00", "custody.end", "not after", "later"),
    "quiet hours of no length": (
        "[custody]",
        '[[quiet]]\nfrom = "12:00"\nto = "12:00"\n[custody]',
        "quiet[1]",
        "end when",
        "another",
    ),
    "quiet hours at 25": (
        "[custody]",
        '[[quiet]]\nfrom = "25:00"\nto = "12:00"\n[custody]',
        "quiet[1].from",
        "25:00",
        "12:30",
    ),
    "night of no length": (
        'name = "考点"',
        'name = "考点"\nnight = { from = "22:00", to = "22:00" }',
        "venue.night",
        "ends when",
        "06:00",
    ),
    "a month in both seasons": (
        'name = "考点"',
        'name = "考点"\nwinter_months = [9, 12]',
        "venue.winter_months",
        "9",
        "one of them",
    ),
    "a month that is none": (
        'name = "考点"',
        'name = "考点"\nsummer_months = [13]',
        "venue.summer_months[1]",
        "",
        "12",
    ),
    "a weekday that is none": (
        'during = ["session"]',
        'during = ["session"]\nweekdays = ["monday"]',
        "rule.noise.weekdays[1]",
        "monday",
        "mon",
    ),
    "a date that is none": (
        'during = ["session"]',
        'during = ["session"]\ndates = ["2026-06-31"]',
        "rule.noise.dates[1]",
        "2026-06-31",
        "2026-06-07",
    ),
    "a time for a date": (
        'during = ["session"]',
        'during = ["session"]\ndates = [2026-06-07T09:00:00]',
        "rule.noise.dates[1]",
        "",
        "2026-06-07",
    ),
    "days backwards": (
        'during = ["session"]',
        'during = ["session"]\ndates = ["2026-06-10/2026-06-08"]',
        "rule.noise.dates[1]",
        "2026-06-10/2026-06-08",
        "before the first",
    ),
    "person twice": ('id = "wang-fang"', 'id = "li-wei"', "person[2].id", "twice", "of its own"),
    "PIN in plain": (
        f'pin = "{PIN}"\n\n[[person]]',
        'pin = "1234"\n\n[[person]]',
        "person[1].pin",
        "plain",
        "person add",
    ),
    "PIN cut short": (
        f'pin = "{PIN}"\n\n[[person]]',
        'pin = "scrypt:AAAA"\n\n[[person]]',
        "person[1].pin",
        "no whole",
        "person add",
    ),
    "key cut short": (
        f'key = "{KEY}"\n\n[[station]]',
        f'key = "{KEY[:-9]}"\n\n[[station]]',
        "person[2].key",
        "no whole",
        "once more",
    ),
    "key of another kind": (
        f'key = "{KEY}"\n\n[[station]]',
        'key = "rsa:x"\n\n[[station]]',
        "person[2].key",
        "no public key",
        "add",
    ),
    "verb that is none": ('"ack", "reset"', '"ack", "rest"', "person[1].may[2]", "'rest'", "reset"),
    "stream that is none": ('"custody", "gateway"', '"custudy"', "station[1].streams[1]", "'custudy'", "custody"),
    "station of nothing": (
        'streams = ["custody", "gateway"]',
        "streams = []",
        "station[1].streams",
        "nothing",
        "custody",
    ),
    "list without brackets": (
        'during = ["session"]',
        'during = "session"',
        "rule.noise.during",
        "quotes",
        '["session"]',
    ),
    "never in force": ('during = ["session"]', "during = []", "rule.noise.during", "never", '["session"]'),
    "driver that is none": ('"renke_rs_zs"', '"renke_rs_zz"', "device.gate-noise.driver", "no driver", "renke_rs_zs"),
    "driver option that is none": ("address = 1", "address = 1\nscael = 0.1", "device.gate-noise", "scael", "correct"),
    "address out of range": ("address = 1", "address = 300", "device.gate-noise.address", "out of range", "255"),
    "bus that is none": ('bus = "rs485"', 'bus = "rs845"', "device.gate-noise.bus", "no [bus.rs845]", "rs485"),
    "neither bus nor port": ('bus = "rs485"\n', "", "device.gate-noise", "where", "bus ="),
    "bus and port": (
        'bus = "rs485"',
        'bus = "rs485"\nport = "/dev/x"',
        "device.gate-noise.port",
        "bus and a port",
        "leave",
    ),
    "port twice": (
        '"/dev/serial/by-id/two"',
        '"/dev/serial/by-id/one"',
        "device.hall-dust.port",
        "already",
        "its own port",
    ),
    "two devices at one address": (
        "[device.hall-dust]",
        '[device.b]\ndriver = "renke_rs_ws"\nbus = "rs485"\naddress = 1\n[device.hall-dust]',
        "device.b.address",
        "device.gate-noise",
        "another address",
    ),
    "talker on a shared bus": (
        'port = "/dev/serial/by-id/two"',
        'bus = "rs485"',
        "device.hall-dust.bus",
        "without being asked",
        "own",
    ),
    "wire without a file": (
        '"pms5003"\nport = "/dev/serial/by-id/two"',
        '"ds18b20"',
        "device.hall-dust.port",
        "where",
        "w1",
    ),
    "point of no device": (
        "gate-noise/laeq",
        "gate-nois/laeq",
        "rule.noise.point",
        "no [device.gate-nois]",
        "gate-noise",
    ),
    "point that the device lacks": (
        "gate-noise/laeq_1min",
        "gate-noise/temperature",
        "rule.noise.point",
        "has no temperature",
        "laf",
    ),
    "statistic that is none": (
        "gate-noise/laeq_1min",
        "gate-noise/laeq_1mn",
        "rule.noise.point",
        "laeq_1mn",
        "laeq_1min",
    ),
    "point without device": ("gate-noise/laeq_1min", "laeq", "rule.noise.point", "no point", "gate-noise/laeq_1min"),
    "rule without limit": ("above = 55.0\nclear_below = 53.0\n", "", "rule.noise", "no limit", "above"),
    "rule with two limits": ("above = 55.0", "above = 55.0\nbelow = 3.0", "rule.noise", "above, below", "of its own"),
    "hysteresis upside down": (
        "clear_below = 53.0",
        "clear_below = 57.0",
        "rule.noise.clear_below",
        "not be higher",
        "2 lower",
    ),
    "limit that is no number": ("above = 55.0", "above = nan", "rule.noise.above", "nan", "above = 55.0"),
    "share without window": ("above = 55.0", "above = 55.0\nshare = 0.5", "rule.noise.within", "within", "10m"),
    "rule named like a contact": (
        "[rule.noise]",
        "[rule.leak-button]",
        "rule.leak-button",
        "contact.leak-button",
        "rename",
    ),
    "rule set that is none": (
        "\n[venue]",
        '\nrule_sets = ["gb3096"]\n[venue]',
        "rule_sets[1]",
        "no rule set",
        "gb3096-2008",
    ),
    "rule set twice": (
        "\n[venue]",
        '\nrule_sets = ["gb10070", "gb10070"]\n[venue]',
        "rule_sets[2]",
        "twice",
        "remove",
    ),
    "settle that forgets": ("lamp_pin = 22", 'settle = "10s"', "contact.leak-button.settle", "longer than", "50ms"),
    "rising hysteresis upside down": (
        "above = 55.0\nclear_below = 53.0",
        "below = 18.0\nclear_above = 17.0",
        "rule.noise.clear_above",
        "not be lower",
        "higher",
    ),
    "stale before the next reading": (
        "above = 55.0\nclear_below = 53.0",
        'stale_after = "1s"',
        "rule.noise.stale_after",
        "all the time",
        "three times",
    ),
    "bus that rests": (
        'port = "/dev/serial/by-id/one"',
        'port = "/dev/serial/by-id/one"\ngap = "20s"',
        "bus.rs485.gap",
        "hardly anything",
        "20ms",
    ),
    "share of no limit": (
        "above = 55.0\nclear_below = 53.0",
        'stale_after = "9s"\nwithin = "10m"\nshare = 0.5',
        "rule.noise",
        "above or below",
        "above",
    ),
    "no wire but a bus": (
        '"pms5003"\nport = "/dev/serial/by-id/two"',
        '"ds18b20"\nbus = "rs485"\n',
        "device.hall-dust.port",
        "where",
        "w1",
    ),
    "profile file that is none": ('"renke_rs_zs"', '"mine.toml"', "device.gate-noise.driver", "no driver", "known are"),
    "address of one that has none": (
        'driver = "pms5003"',
        'driver = "pms5003"\naddress = 3',
        "device.hall-dust",
        "address",
        "correct",
    ),
    "address of a device that has another, always": (
        'driver = "pms5003"\nport = "/dev/serial/by-id/two"',
        'driver = "scd4x"\nport = "/dev/i2c-1"\naddress = 99',
        "device.hall-dust",
        "address 98 and no other",
        "correct",
    ),
    "password in an address": (
        "[mqtt]",
        f'[influxdb]\nurl = "http://me:secret@x"\norg = "o"\nbucket = "b"\ntoken_file = "{__file__}"\n[mqtt]',
        "influxdb.url",
        "secrets never",
        "http://",
    ),
    "address with a port of letters": (
        "[mqtt]",
        f'[influxdb]\nurl = "http://x:y"\norg = "o"\nbucket = "b"\ntoken_file = "{__file__}"\n[mqtt]',
        "influxdb.url",
        "no address",
        "http://",
    ),
    "no text": ('name = "李伟"', 'name = ""', "person[1].name", "empty", "name ="),
    "PIN in foreign letters": (
        f'pin = "{PIN}"\n\n[[person]]',
        'pin = "scrypt:密:码"\n\n[[person]]',
        "person[1].pin",
        "no whole",
        "add",
    ),
    "rule named like an alarm of the gateway": (
        "[rule.noise]",
        "[rule.clock]",
        "rule.clock",
        "gateway itself",
        "rename",
    ),
    "contact named like another one's fault": (
        "[contact.leak-button]",
        "[contact.paper-room-door-line]",
        "contact.paper-room-door-line",
        "contact.paper-room-door",
        "rename",
    ),
    "device named like a bus": ("[device.hall-dust]", "[device.rs485]", "device.rs485", "bus.rs485", "rename"),
    "no host": ('host = "broker.example"\n', "", "mqtt.host", "missing", "host ="),
    "host with scheme": ('"broker.example"', '"mqtts://broker.example"', "mqtt.host", "more than", "port"),
    "port out of range": ("tls = {}", "tls = {}\nport = 88830", "mqtt.port", "out of range", "65535"),
    "version of nothing": ("tls = {}", 'tls = {}\nversion = "4"', "mqtt.version", "'4'", "5"),
    "version as a number": ("tls = {}", "tls = {}\nversion = 5", "mqtt.version", "no text", 'version = "5"'),
    "password in the file": ("tls = {}", 'tls = {}\npassword = "x"', "mqtt.password", "no key", "password_file"),
    "missing certificate": ("tls = {}", 'tls = { ca = "ca.pem" }', "mqtt.tls.ca", "no file", "beside"),
    "certificate without key": ("tls = {}", f'tls = {{ cert = "{__file__}" }}', "mqtt.tls", "needs its key", "both"),
    "password file that is a folder": (
        "tls = {}",
        'tls = {}\nuser = "x"\npassword_file = "/tmp"',
        "mqtt.password_file",
        "no file",
        "beside",
    ),
    "no second broker": (
        "[mqtt]",
        '[escalation]\nsteps = [{ after = "60s", to = "second-broker" }]\n[mqtt]',
        "escalation.steps[1].to",
        "no second",
        "second",
    ),
    "guard time of a door": (
        "pin_other = 18",
        'pin_other = 18\nhold = "1s"',
        "contact.paper-room-door.hold",
        "for a leak button",
        'hold = "1s"',
    ),
    "guard time too long": ("lamp_pin = 22", 'lamp_pin = 22\nhold = "6s"', "contact.leak-button.hold", "5 s", "take"),
    "siren on a lamp's pin": ("[mqtt]", "[siren]\npin = 22\n[mqtt]", "siren.pin", "already", "of its own"),
    "number of a telephone": (
        "[mqtt]",
        '[modem]\nport = "/dev/serial/by-id/three"\nnumbers = ["0759 123"]\n[mqtt]',
        "modem.numbers[1]",
        "0759 123",
        "digits alone",
    ),
    "nobody to call": (
        "[mqtt]",
        '[modem]\nport = "/dev/serial/by-id/three"\nnumbers = []\n[mqtt]',
        "modem.numbers",
        "nobody",
        "+86",
    ),
    "name of a seal's alarm": (
        "[contact.leak-button]",
        '[contact.paper-room-door-long]\nkind = "tamper"\npin = 6\npin_other = 7\nsafe = "low"\n[contact.leak-button]',
        "contact.paper-room-door",
        "its alarm would be called",
        "rename",
    ),
    "token in the file": (
        "[mqtt]",
        f'[influxdb]\nurl = "http://x"\norg = "o"\nbucket = "b"\ntoken = "x"\ntoken_file = "{__file__}"\n[mqtt]',
        "influxdb.token",
        "no key",
        "token_file",
    ),
    "address of no database": (
        "[mqtt]",
        f'[influxdb]\nurl = "influx:8086"\norg = "o"\nbucket = "b"\ntoken_file = "{__file__}"\n[mqtt]',
        "influxdb.url",
        "no address",
        "http://",
    ),
    "no equals sign": ("pin = 17", "pin 17", "", "no =", "key = value"),
    "no quotes": ('id = "zj-no1"', "id = zj-no1", "", "not understood", "quotes"),
    "quote left open": ('id = "zj-no1"', 'id = "zj-no1', "", "not closed", "quote"),
    "Chinese quotes": ('id = "zj-no1"', "id = “zj-no1”", "", "“", "English"),
    "Chinese equals sign": ("pin = 17", "pin ＝ 17", "", "＝", "English"),
    "table twice": ("[bus.rs485]", "[venue]\n[bus.rs485]", "", "already", "another name"),
    "key twice": ("pin = 17", "pin = 17\npin = 18", "", "already", "remove"),
}

BYTES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "nothing in the file", "config sample"),
    "only comments": (b"# nothing\n\n", "nothing in the file", "config sample"),
    "GBK": (GOOD.encode("gbk"), "GBK", "UTF-8"),
    "not text": (b"\x80\x81\xff\xfa", "not UTF-8", "UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), "UTF-16", "UTF-8"),
    "zeros": (b"\0" * 4096, "zero bytes", "copy"),
    "half written": (GOOD.encode()[:300] + b"\0" * 200, "zero bytes", "copy"),
    "too deep": (b"a = " + b"[" * 5000, "not understood", "sample"),
    "too large": (b"#" * (LARGEST_BYTES + 1), "larger", "not some other"),
    "a number of 5000 digits": (b"a = " + b"9" * 5000, "not understood", "sample"),
    "not TOML": (b"<html></html>", "not understood", "sample"),
}

# What weakens the venue without being wrong: (what is replaced, by what, the key, words of the complaint).
WARNINGS = {
    "authority without https": (
        "[mqtt]",
        f'[influxdb]\nurl = "http://x"\norg = "o"\nbucket = "b"\ntoken_file = "{__file__}"\nca = "{__file__}"\n[mqtt]',
        "influxdb.ca",
        "of no use",
    ),
    "pin of a boot setting": ("pin_other = 5", "pin_other = 14", "contact.leak-button.pin_other", "UART"),
    "pin of the power button": (
        "lamp_pin = 22",
        "lamp_pin = 26",
        "contact.leak-button.lamp_pin",
        "shuts the board down",
    ),
    "siren on the power button": ("[mqtt]", "[siren]\npin = 26\n[mqtt]", "siren.pin", "shuts the board down"),
    "one pin": ("pin_other = 5\n", "", "contact.leak-button", "cannot be told from a press"),
    "no custody": ("[custody]\nstart = 2026-06-05T16:00:00\nend = 2026-06-10T18:00:00\n", "", "custody", "stored"),
    "session without guard": ("2026-06-07T09:00:00", "2026-06-04T09:00:00", "session[1]", "not armed"),
    "no modem": (
        "[mqtt]",
        '[escalation]\nsteps = [{ after = "60s", to = "modem" }]\n[mqtt]',
        "escalation.steps[1].to",
        "no [modem]",
    ),
    "no siren": (
        "[mqtt]",
        '[escalation]\nsteps = [{ after = "60s", to = "siren" }]\n[mqtt]',
        "escalation.steps[1].to",
        "no [siren]",
    ),
    "no station": (
        'streams = ["custody", "gateway"]',
        'streams = ["gateway"]',
        "station",
        "no alarm of leak or seal will ever count",
    ),
    "no reset": ('"ack", "reset", ', '"ack", ', "person", "nobody can reset"),
    "one opener": ('may = ["open-window"]', 'may = ["ack"]', "person", "two persons"),
    "no credentials": (f'pin = "{PIN}"\nkey = "{KEY}"\n', "", "person[2]", "neither PIN nor key"),
    "unstable port": ("/dev/serial/by-id/two", "/dev/ttyUSB0", "device.hall-dust.port", "another adapter"),
    "plain MQTT": ("tls = {}", "port = 1883", "mqtt", "encrypted"),
    "TLS port without TLS": ("tls = {}", "", "mqtt.tls", "expects TLS"),
    "user without password": ("tls = {}", 'tls = {}\nuser = "x"', "mqtt.user", "belong together"),
    "one broker twice": (
        "tls = {}",
        'tls = {}\n[mqtt.second]\nhost = "broker.example"\ntls = {}',
        "mqtt.second.host",
        "first one",
    ),
    "no broker": ('[mqtt]\nhost = "broker.example"\ntls = {}', "", "mqtt", "no alarm leaves"),
    "faster than the device": ("address = 1", 'address = 1\nevery = "10ms"', "device.gate-noise.every", "at best"),
    "steps out of order": (
        "[mqtt]",
        '[escalation]\nsteps = [{ after = "60s", to = "siren" }, { after = "30s", to = "resend" }]\n[mqtt]',
        "escalation.steps[2].after",
        "earlier",
    ),
    "window that never comes": (
        'during = ["session"]',
        'during = ["listening"]',
        "rule.noise.during[1]",
        "no listening",
    ),
    "board's own pin": ("lamp_pin = 22", "lamp_pin = 0", "contact.leak-button.lamp_pin", "by the board"),
    "file of the service": (
        "tls = {}",
        'tls = {}\nuser = "x"\npassword_file = "$CREDENTIALS_DIRECTORY/mqtt"',
        "mqtt.password_file",
        "where the service runs",
    ),
}
