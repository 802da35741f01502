"""What taking lines apart costs in each format, by CPU a byte, over what it costs in `combined`.

    python tests/bench/formats.py [--megabytes N] [--runs N] [NAME ...]

prints, for each format, nanoseconds a byte, how many times those of `combined` they are, which share of the lines
the plain parser had to read, and what that one takes a byte if it reads all of them. Lines are made from
templates as their servers write them: times a few to the second, two thousand paths, browsers' user agents, one
request in fifty failing, another one of seconds, and three in a hundred tried again where the format shows that.
Nothing is written: the lake's part of the cost is not in it.
"""

import argparse
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from etl.kernel.layout import PADDING
from etl.lines.blocks import BlockParser, passes_of
from etl.lines.formats import FORMATS, Format
from etl.lines.parse import Classifier

FIRST_TIME = datetime(2026, 9, 17, tzinfo=UTC)
LINES_A_SECOND, PATHS, DIFFERENT_LINES = 5, 2000, 40_000
BLOCK_BYTES = 4 << 20
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6",
    "curl/8.16.0",
)
HOSTS = ("shop.example.com", "www.example.com", "api.example.com")
WORDS = ("items", "cart", "search", "users", "static", "api", "v2", "orders", "img", "news")
COMBINED = '{client} - - [{clf}] "{method} {path} HTTP/1.1" {status} {size} "-" "{agent}"'
JSON = (
    '{{"time_iso8601":"{iso}","remote_addr":"{client}","request_method":"{method}","request_uri":"{path}",'
    '"status":"{status}","body_bytes_sent":"{size}","request_time":"{seconds}","upstream_addr":"10.0.0.1:80",'
    '"upstream_status":"{status}","upstream_response_time":"{seconds}","host":"{host}","http_user_agent":"{agent}"}}'
)
W3C_NAMES = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer)"
CLOUDFRONT_NAMES = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) "
    "cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
)
TEMPLATES = {
    "common": '{client} - - [{clf}] "{method} {path} HTTP/1.1" {status} {size}',
    "combined": COMBINED,
    "vhost_combined": "{host}:443 " + COMBINED,
    "json": JSON,
    "json_numbers": JSON.replace('"{status}"', "{status}").replace('"{seconds}"', "{seconds}"),
    "ingress_nginx": COMBINED + " 300 {seconds} [shop-web-80] [] {upstreams} {sizes} {times} {statuses} {id}",
    "traefik": COMBINED + ' {number} "web@docker" "http://10.0.0.1:80" {ms}ms',
    "haproxy": (
        "Sep 17 10:05:03 lb1 haproxy[4242]: {client}:40000 [{clf_ms}] fe_https~ be_web/web1 0/0/1/3/{ms} {status} "
        '{size} - - ---- 5/4/0/1/0 0/0 "{method} {path} HTTP/1.1"'
    ),
    "traefik_json": (
        '{{"ClientAddr":"{client}:40000","ClientHost":"{client}","ClientPort":"40000","ClientUsername":"-",'
        '"DownstreamContentSize":{size},"DownstreamStatus":{status},"Duration":{ns},"OriginContentSize":{size},'
        '"OriginDuration":{ns},"OriginStatus":{status},"Overhead":12345,"RequestAddr":"{host}",'
        '"RequestContentSize":0,"RequestCount":{number},"RequestHost":"{host}","RequestMethod":"{method}",'
        '"RequestPath":"{path}","RequestPort":"-","RequestProtocol":"HTTP/2.0","RequestScheme":"https",'
        '"RetryAttempts":0,"RouterName":"web@docker","ServiceAddr":"10.0.0.1:80","ServiceName":"web@docker",'
        '"ServiceURL":"http://10.0.0.1:80","StartLocal":"{iso_ns}","StartUTC":"{iso_ns}",'
        '"entryPointName":"websecure","level":"info","msg":"","time":"{iso_z}"}}'
    ),
    "caddy": (
        '{{"level":"info","ts":{epoch_float},"logger":"http.log.access.log0","msg":"handled request","request":{{'
        '"remote_ip":"{client}","remote_port":"40000","client_ip":"{client}","proto":"HTTP/2.0",'
        '"method":"{method}","host":"{host}","uri":"{path}","headers":{{"Accept-Encoding":["gzip"],'
        '"User-Agent":["{agent}"],"Accept":["*/*"]}},"tls":{{"resumed":false,"version":772,"cipher_suite":4865,'
        '"proto":"h2","server_name":"{host}"}}}},"bytes_read":0,"user_id":"","duration":{seconds_ns},'
        '"size":{size},"status":{status},"resp_headers":{{"Server":["Caddy"],"Content-Type":["text/html"]}}}}'
    ),
    "ecs": (
        '{{"@timestamp":"{iso_ms}","log":{{"level":"info"}},"http":{{"request":{{"method":"{method}"}},'
        '"response":{{"status_code":{status},"body":{{"bytes":{size}}}}}}},"url":{{"path":"{path}",'
        '"domain":"{host}"}},"event":{{"duration":{ns}}},"source":{{"ip":"{client}"}},'
        '"user_agent":{{"original":"{agent}"}}}}'
    ),
    "ecs_dotted": (
        '{{"@timestamp":"{iso_ms}","log.level":"info","http.request.method":"{method}",'
        '"http.response.status_code":{status},"http.response.body.bytes":{size},"url.path":"{path}",'
        '"url.domain":"{host}","event.duration":{ns},"source.ip":"{client}","user_agent.original":"{agent}"}}'
    ),
    "opentelemetry": (
        '{{"timestamp":"{iso_ms}","severityText":"INFO","attributes":{{"http.request.method":"{method}",'
        '"url.path":"{path}","http.response.status_code":{status},"server.address":"{host}",'
        '"client.address":"{client}","http.server.request.duration":{seconds},"user_agent.original":"{agent}"}}}}'
    ),
    "pino": (
        '{{"level":30,"time":{epoch_ms},"pid":1,"hostname":"web1","req":{{"id":{number},"method":"{method}",'
        '"url":"{path}","query":{{}},"headers":{{"host":"{host}","user-agent":"{agent}","accept":"*/*"}},'
        '"remoteAddress":"{client}","remotePort":40000}},"res":{{"statusCode":{status},"headers":{{'
        '"content-length":"{size}"}}}},"responseTime":{ms},"msg":"request completed"}}'
    ),
    "bunyan": (
        '{{"name":"shop","hostname":"web1","pid":1,"level":30,"req":{{"method":"{method}","url":"{path}",'
        '"headers":{{"host":"{host}","user-agent":"{agent}"}},"remoteAddress":"{client}"}},"res":{{'
        '"statusCode":{status}}},"latency":{ms},"msg":"handled","time":"{iso_ms}","v":0}}'
    ),
    "ltsv": (
        "time:{clf}\thost:{client}\tmethod:{method}\turi:{path}\tprotocol:HTTP/1.1\tstatus:{status}\tsize:{size}\t"
        "referer:-\tua:{agent}\treqtime:{seconds}\tvhost:{host}"
    ),
    "alb": (
        "https {iso_us} app/web/50dc6c495c0c9188 {client}:2817 10.0.0.1:80 0.000 {seconds} 0.000 {status} "
        '{status} 34 {size} "{method} https://{host}:443{path} HTTP/1.1" "{agent}" ECDHE-RSA TLSv1.2 '
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/73e2d6bc24d8a067 "
        '"Root=1-{id}" "{host}" "session-reused" 0 {iso_us} "forward" "-" "-" "10.0.0.1:80" "{status}" "-" "-" '
        "TID_{id}"
    ),
    "s3": (
        "0123abcd my-bucket [{clf}] {client} arn:aws:iam::123456789012:user/example 79A59DF900B949E5 "
        'REST.GET.OBJECT items/7 "{method} {path} HTTP/1.1" {status} - {size} {size} {ms} 10 "-" "{agent}" - '
        "s9lzHYrFp76ZVxRcpX9= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader {host} TLSv1.2 - -"
    ),
    "cloudfront": (
        "{date}\t{clock}\tFRA56-P4\t{size}\t{client}\t{method}\td111.cloudfront.net\t{path}\t{status}\t-\t"
        "{plus_agent}\t-\t-\tHit\t{id}\t{host}\thttps\t23\t{seconds}"
    ),
    "cloudfront_json": (
        '{{"date":"{date}","time":"{clock}","x-edge-location":"FRA56-P4","sc-bytes":"{size}","c-ip":"{client}",'
        '"cs-method":"{method}","cs(Host)":"d111.cloudfront.net","cs-uri-stem":"{path}","sc-status":"{status}",'
        '"cs(Referer)":"-","cs(User-Agent)":"{plus_agent}","x-host-header":"{host}","time-taken":"{seconds}"}}'
    ),
    "iis": ("{date} {clock} 10.0.0.4 {method} {path} - 443 - {client} {plus_agent} - {status} 0 0 {ms}"),
    "cloudflare": (
        '{{"CacheCacheStatus":"miss","ClientIP":"{client}","ClientRequestHost":"{host}",'
        '"ClientRequestMethod":"{method}","ClientRequestURI":"{path}","ClientRequestUserAgent":"{agent}",'
        '"EdgeEndTimestamp":{epoch_ns},"EdgeResponseBytes":{size},"EdgeResponseStatus":{status},'
        '"EdgeStartTimestamp":{epoch_ns},"OriginResponseStatus":{status},"RayID":"{id}"}}'
    ),
    "gcp_http": (
        '{{"httpRequest":{{"latency":"{seconds}s","remoteIp":"{client}","requestMethod":"{method}",'
        '"requestSize":"65","requestUrl":"https://{host}{path}","responseSize":"{size}","status":{status},'
        '"userAgent":"{agent}"}},"insertId":"{id}","resource":{{"labels":{{"url_map_name":"web-map"}},'
        '"type":"http_load_balancer"}},"severity":"INFO","timestamp":"{iso_us}"}}'
    ),
    "envoy": (
        '[{iso_ms}] "{method} {path} HTTP/2" {status} - 0 {size} {ms} {ms} "{client}" "{agent}" "{id}" "{host}" '
        '"10.0.0.1:8080"'
    ),
    "istio": (
        '[{iso_ms}] "{method} {path} HTTP/1.1" {status} - via_upstream - "-" 0 {size} {ms} {ms} "{client}" '
        '"{agent}" "{id}" "{host}" "10.0.0.1:8080" outbound|80||web.shop.svc.cluster.local 10.0.0.9:47889 '
        "10.0.0.9:8080 {client}:0 outbound_.80_._.web.shop.svc.cluster.local default"
    ),
    "envoy_json": (
        '{{"start_time":"{iso_ms}","method":"{method}","path":"{path}","protocol":"HTTP/1.1","response_code":'
        '{status},"response_flags":"-","bytes_received":0,"bytes_sent":{size},"duration":{ms},"user_agent":"{agent}",'
        '"request_id":"{id}","authority":"{host}","upstream_host":"10.0.0.1:8080"}}'
    ),
    "gin": '[GIN] {slashed} | {status} | {ms:>6}.125ms | {client:>15} | {method:<7} "{path}"',
    "nginx_proxy_manager": (
        '[{clf}] - {status} {status} - {method} https {host} "{path}" [Client {client}] [Length {size}] [Gzip -] '
        '[Sent-to 10.0.0.5] "{agent}" "-"'
    ),
    "squid": (
        "{epoch_float3} {ms:>6} {client} TCP_MISS/{status} {size} {method} http://{host}{path} - "
        "HIER_DIRECT/10.0.0.1 text/html"
    ),
    "lograge": (
        "I, [{iso_local_us} #4242]  INFO -- : [{id}] method={method} path={path} format=html "
        "controller=ItemsController action=show status={status} duration={ms}.50 view=12.00 db=3.10"
    ),
    "heroku": (
        '{iso_us} heroku[router]: at=info method={method} path="{path}" host={host} request_id={id} '
        'fwd="{client}" dyno=web.1 connect=1ms service={ms}ms status={status} bytes={size} protocol=https'
    ),
}
OF = {"json_numbers": "json", "ecs_dotted": "ecs"}
HEADERS = {"cloudfront": CLOUDFRONT_NAMES, "iis": f"{W3C_NAMES} sc-status sc-substatus sc-win32-status time-taken"}
LOCAL = ("haproxy", "gin", "lograge")  # have no offset


def written(name: str, random: Random) -> list[bytes]:
    """Return lines of a format, of two hours and a quarter."""
    paths = ["/" + "/".join(random.choices(WORDS, k=random.randint(1, 4))) + f"/{n}" for n in range(PATHS)]
    template, lines = TEMPLATES[name] + "\n", []
    for number in range(DIFFERENT_LINES):
        moment = FIRST_TIME + timedelta(seconds=number // LINES_A_SECOND, microseconds=random.randrange(10**6))
        status = random.choice((500, 502, 503)) if random.random() < 0.02 else random.choice((200, 200, 200, 304))
        slow = 20 if random.random() < 0.02 else 1
        ms, again = int(random.expovariate(1 / 90) * slow) + 1, random.random() < 0.03
        agent, size, epoch = random.choice(AGENTS), random.randrange(50_000), moment.timestamp()
        clock = f"{moment:%H:%M:%S}"
        query = f"?q={random.randrange(9999)}" if number % 3 == 0 else ""
        lines.append(
            template.format(
                client=f"192.0.2.{number % 250}",
                clf=f"{moment:%d/%b/%Y}:{clock} +0000",
                clf_ms=f"{moment:%d/%b/%Y}:{clock}.{moment.microsecond // 1000:03}",
                iso=f"{moment:%Y-%m-%d}T{clock}+00:00",
                iso_z=f"{moment:%Y-%m-%d}T{clock}Z",
                iso_ms=f"{moment:%Y-%m-%d}T{clock}.{moment.microsecond // 1000:03}Z",
                iso_us=f"{moment:%Y-%m-%d}T{clock}.{moment.microsecond:06}Z",
                iso_local_us=f"{moment:%Y-%m-%d}T{clock}.{moment.microsecond:06}",
                iso_ns=f"{moment:%Y-%m-%d}T{clock}.{moment.microsecond:06}789Z",
                slashed=f"{moment:%Y/%m/%d} - {clock}",
                date=f"{moment:%Y-%m-%d}",
                clock=clock,
                epoch_ms=int(epoch * 1000),
                epoch_ns=int(epoch) * 10**9 + random.randrange(10**9),
                epoch_float=epoch + random.randrange(10) / 1e7,
                epoch_float3=f"{epoch:.3f}",
                method=random.choice(("GET", "GET", "GET", "POST", "HEAD")),
                path=random.choice(paths) + query,
                status=status,
                size=size,
                seconds=f"{ms / 1000:.3f}",
                seconds_ns=f"{ms / 1000 + random.randrange(10**6) / 10**9:.9f}",
                ms=ms,
                ns=ms * 10**6 + random.randrange(10**6),
                host=random.choice(HOSTS),
                agent=agent,
                plus_agent=agent.replace(" ", "+"),
                number=number,
                id=f"{random.getrandbits(128):032x}",
                upstreams="10.0.0.1:8080, 10.0.0.2:8080" if again else "10.0.0.1:8080",
                sizes=f"0, {size}" if again else size,
                times=f"0.001, {ms / 1000:.3f}" if again else f"{ms / 1000:.3f}",
                statuses=f"502, {status}" if again else status,
            ).encode()
        )
    return lines


def format_of(name: str) -> Format:
    """Return the format of a template's lines."""
    found = FORMATS[OF.get(name, name)]
    return replace(found, timezone="UTC") if name in LOCAL else found


def blocks_of(name: str, size: int) -> list[memoryview]:
    """Return so many bytes of lines, in blocks as the program has them."""
    lines = written(name, Random(0))  # noqa: S311 - no secrets
    data, blocks = b"".join(lines), []
    header = f"#Fields: {HEADERS[name]}\n".encode() if name in HEADERS else b""
    whole = data * (size // len(data) + 1)
    begin = 0
    while begin < size:
        end = whole.index(b"\n", min(begin + BLOCK_BYTES, len(whole) - 1)) + 1
        block = header * (begin == 0) + whole[begin:end]
        blocks.append(memoryview(bytearray(block + bytes(PADDING)))[: len(block)])
        begin = end
    return blocks


def classifier_of(log_format: Format) -> Classifier:
    """Return what a usual source asks of requests."""
    host = next(iter(log_format.hosts), None)
    return Classifier("origin", None if host else "web", host, ("/healthz",), ("UptimeRobot", "Pingdom"))


def cost(name: str, size: int, *, compiled: bool = True) -> tuple[float, float]:
    """Return the CPU of taking lines apart, in nanoseconds a byte, and the share that the plain parser read."""
    log_format, blocks = format_of(name), blocks_of(name, size)
    parser = BlockParser(log_format, classifier_of(log_format), compiled=compiled, passes=passes_of(log_format))
    begin = time.process_time()
    lines = requests = 0
    for batch in parser.batches(iter(blocks)):
        lines += batch.lines
        requests += len(batch.days)
    taken = time.process_time() - begin
    if requests < 0.999 * lines - 1:
        raise AssertionError(f"{name}: {requests} of {lines} lines are requests")
    return taken * 1e9 / sum(map(len, blocks)), parser.plain_lines / lines


def main() -> None:
    """Measure, and print a row for each format."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", help=", ".join(TEMPLATES))
    arguments.add_argument("--megabytes", type=int, default=32)
    arguments.add_argument("--runs", type=int, default=3)
    given = arguments.parse_args()
    size = given.megabytes << 20
    print("| format | ns a byte | over `combined` | read by the plain parser | by that alone, ns a byte |")
    print("|---|---|---|---|---|")
    cost("combined", BLOCK_BYTES)  # loads the kernel
    base: float | None = None
    for name in dict.fromkeys(["combined", *(given.names or TEMPLATES)]):
        found = [cost(name, size) for _ in range(given.runs)]
        nanoseconds = statistics.median(each for each, _ in found)
        base = base or nanoseconds
        by_plain, _ = cost(name, size // 16, compiled=False)
        row = (
            f"`{name}`",
            f"{nanoseconds:.2f}",
            f"{nanoseconds / base:.2f}",
            f"{found[0][1]:.1%}",
            f"{by_plain:.0f}",
        )
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
