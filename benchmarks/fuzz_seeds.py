"""Good input of each kind, small: what `benchmarks.fuzz` breaks."""

from __future__ import annotations

import json

CAP = (
    b'<?xml version="1.0"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>a-1</identifier>'
    b"<sender>fire@city.example</sender><sent>2026-11-21T12:00:00+01:00</sent><status>Actual</status>"
    b"<msgType>Alert</msgType><scope>Public</scope><info><category>Fire</category><event>Smoke</event>"
    b"<urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>"
    b"<area><areaDesc>Harbour</areaDesc><circle>58.14,7.99 0.5</circle></area></info></alert>"
)
COT = (
    b'<event version="2.0" uid="unit-1" type="a-f-G" how="m-g" time="2026-11-21T12:00:00Z" '
    b'start="2026-11-21T12:00:00Z" stale="2026-11-21T12:05:00Z"><point lat="58.1" lon="8.0" hae="10" ce="5" le="5"/>'
    b'<detail><contact callsign="Unit 1"/><remarks>on the way</remarks></detail></event>'
)
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05abcde"
PUBLISH = b"\x32\x0f\x00\x03a/b\x00\x01" + b'{"a":1.5}'[:8]
DATA_ARRAYS = json.dumps(
    [
        {
            "Datastream": {"@iot.id": "one"},
            "components": ["phenomenonTime", "result"],
            "dataArray": [["2026-11-21T08:00:00Z", 21.5], ["2026-11-21T08:01:00Z", None]],
        }
    ]
).encode()
EVE = (
    b'{"timestamp":"2026-11-21T12:00:00.000000+0100","event_type":"alert","src_ip":"10.0.0.5","dest_ip":"10.0.0.9",'
    b'"alert":{"signature_id":2001219,"signature":"ET SCAN","category":"Attempted Recon","severity":2}}'
)
ALERT = (
    b'{"tool":"anomaly","detector":"level","source":"one","headline":"High","category":"Transport","confidence":0.5,'
    b'"onset":"2026-11-21T12:00:00Z","sent":"2026-11-21T12:00:01Z","model":{"name":"m","version":"1"}}'
)
RSS = (
    b'<rss version="2.0"><channel><title>t</title><item><title>One</title><link>https://example.org/1</link>'
    b"<description>text &amp; more</description><pubDate>Sat, 21 Nov 2026 12:00:00 GMT</pubDate></item></channel></rss>"
)
OSM = (
    b'<osm version="0.6"><node id="1" lat="58.1" lon="8.0"/><node id="2" lat="58.1" lon="8.001"/>'
    b'<node id="3" lat="58.101" lon="8.001"/><node id="4" lat="58.101" lon="8.0"/><way id="9"><nd ref="1"/>'
    b'<nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/><tag k="highway" v="pedestrian"/>'
    b'<tag k="area" v="yes"/></way></osm>'
)
NMAP = (
    b'<?xml version="1.0"?><nmaprun scanner="nmap" version="7.94" xmloutputversion="1.05"><host><status state="up"/>'
    b'<address addr="10.0.0.5" addrtype="ipv4"/><hostnames><hostname name="web"/></hostnames><ports>'
    b'<port protocol="tcp" portid="443"><state state="open"/><service name="https"/>'
    b'<script id="vulners" output="CVE-2021-44228 10.0"/></port></ports></host></nmaprun>'
)
NESSUS = (
    b'<NessusClientData_v2><Report name="r"><ReportHost name="10.0.0.5"><HostProperties><tag name="host-ip">10.0.0.5'
    b'</tag></HostProperties><ReportItem port="443" protocol="tcp" svc_name="https" severity="4" pluginID="1">'
    b"<cve>CVE-2021-44228</cve><cvss3_base_score>10.0</cvss3_base_score></ReportItem></ReportHost></Report>"
    b"</NessusClientData_v2>"
)
OPENVAS = (
    b'<report id="1" format_id="2"><report id="1"><ports><port><host>10.0.0.5</host>443/tcp</port></ports><results>'
    b"<result><host>10.0.0.5<hostname>web</hostname></host><port>443/tcp</port><severity>9.8</severity>"
    b'<nvt oid="1.3"><refs><ref type="cve" id="CVE-2021-44228"/></refs></nvt></result></results>'
    b"<host><ip>10.0.0.5</ip></host></report></report>"
)
CYCLONEDX_XML = (
    b'<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><metadata><component type="application"><name>web</name>'
    b"</component></metadata><vulnerabilities><vulnerability><id>CVE-2021-44228</id><ratings><rating><score>10.0"
    b"</score></rating></ratings></vulnerability></vulnerabilities></bom>"
)
CYCLONEDX_JSON = json.dumps(
    {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "metadata": {"component": {"name": "web"}},
        "vulnerabilities": [{"id": "CVE-2021-44228", "ratings": [{"score": 10.0, "vector": "CVSS:3.1/AV:N"}]}],
    }
).encode()
WAZUH = json.dumps(
    {
        "hits": {
            "hits": [
                {
                    "_source": {
                        "agent": {"name": "web", "id": "001"},
                        "vulnerability": {"id": "CVE-2021-44228", "score": {"base": 10.0}, "severity": "Critical"},
                    }
                }
            ]
        }
    }
).encode()
NVD = json.dumps(
    {
        "format": "NVD_CVE",
        "version": "2.0",
        "vulnerabilities": [
            {
                "cve": {
                    "id": "CVE-2021-44228",
                    "metrics": {"cvssMetricV31": [{"cvssData": {"baseScore": 10.0, "vectorString": "CVSS:3.1/AV:N"}}]},
                }
            }
        ],
    }
).encode()
KEV = b'{"title": "KEV", "vulnerabilities": [{"cveID": "CVE-2021-44228"}]}'
STIX = json.dumps(
    [
        {
            "type": "report",
            "id": "report--6b8f9a2e-0000-4000-8000-000000000001",
            "name": "A campaign",
            "published": "2026-11-21T08:00:00Z",
            "object_refs": ["malware--6b8f9a2e-0000-4000-8000-000000000002"],
        },
        {"type": "malware", "id": "malware--6b8f9a2e-0000-4000-8000-000000000002", "name": "x", "hashes": {"MD5": "a"}},
    ]
).encode()
MISP = json.dumps(
    {
        "Event": {
            "uuid": "6b8f9a2e-0000-4000-8000-000000000001",
            "info": "an event",
            "timestamp": "1700000000",
            "Attribute": [{"type": "ip-dst", "value": "192.0.2.1", "comment": "c"}],
            "Object": [{"name": "file", "Attribute": [{"type": "md5", "value": "a"}]}],
            "Tag": [{"name": "tlp:amber"}],
        }
    }
).encode()
TELEGRAM = (
    b'{"name": "channel", "type": "public_channel", "messages": [{"id": 1, "type": "message", "date_unixtime": '
    b'"1700000000", "from_id": "c1", "text": ["a ", {"type": "bold", "text": "b"}]}]}'
)
JETSTREAM = json.dumps(
    {
        "did": "did:plc:a",
        "time_us": 1_700_000_000_000_000,
        "kind": "commit",
        "commit": {
            "operation": "create",
            "collection": "app.bsky.feed.post",
            "rkey": "k",
            "record": {"text": "hello", "langs": ["en"], "createdAt": "2026-11-21T08:00:00Z"},
        },
    }
).encode()
MASTODON = (
    b'{"id": "1", "content": "<p>hello</p>", "account": {"acct": "anna"}, "created_at": "2026-11-21T08:00:00Z", '
    b'"spoiler_text": "", "language": "en", "reblog": null}'
)
PROBE_MATCH = (
    b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/'
    b'discovery"><e:Body><d:ProbeMatches><d:ProbeMatch><d:Scopes>onvif://www.onvif.org/name/Cam</d:Scopes>'
    b"<d:XAddrs>http://192.0.2.9/onvif/device_service</d:XAddrs></d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"
)
NETWORK = (
    b"zones: [{name: internet, attacker: true}, {name: dmz}]\nassets:\n- {id: web, zone: dmz, value: 5, "
    b"services: [{port: 443, name: https}], vulnerabilities: [{id: CVE-2021-44228, port: 443, cvss: 10}]}\n"
)
DXF = (
    (
        "0 SECTION 2 HEADER 9 $ACADVER 1 AC1009 9 $INSUNITS 70 6 0 ENDSEC 0 SECTION 2 ENTITIES "
        "0 POLYLINE 8 walkable 66 1 70 1 0 VERTEX 8 walkable 10 0.0 20 0.0 0 VERTEX 8 walkable 10 40.0 20 0.0 "
        "0 VERTEX 8 walkable 10 40.0 20 30.0 0 VERTEX 8 walkable 10 0.0 20 30.0 0 SEQEND 8 walkable "
        "0 LINE 8 exit 10 0.0 20 10.0 11 0.0 21 14.0 0 CIRCLE 8 obstacle 10 20.0 20 15.0 40 2.0 "
        "0 ENDSEC 0 EOF"
    )
    .replace(" ", "\n")
    .encode()
)


def _pdf() -> bytes:
    """A PDF of one page, with its table of places."""
    parts = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length 41>>stream\nBT /F1 12 Tf 10 100 Td (Hello report) Tj ET\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    made, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(made))
        made += b"%d 0 obj" % number + part + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        made + b"xref\n0 6\n0000000000 65535 f \n" + table + b"trailer<</Size 6/Root 1 0 R/Info<</Title(A report)>>>>\n"
        b"startxref\n%d\n%%%%EOF" % len(made)
    )


PDF = _pdf()
PAGE = (
    b"<!doctype html><html><head><title>News</title><style>p{}</style></head><body><h1>One</h1><p>Two <a href="
    b"'https://example.org/'>three</a><script>x()</script><table><tr><td>4</td></tr></table><br></body></html>"
)
JUPEDSIM_WKT = b"POLYGON ((0 0, 40 0, 40 30, 0 30, 0 0), (10 10, 12 10, 12 12, 10 10))"
JUPEDSIM_JSON = (
    b'{"exits": {"e1": {"coordinates": [[0, 10], [1, 10], [1, 14], [0, 14]]}}, "distributions": '
    b'[{"id": "d1", "polygon": "POLYGON ((20 5, 25 5, 25 9, 20 5))", "parameters": {"number": 50}}]}'
)
AGENTS = (
    b'[chlorine]\ntitle = "Chlorine"\nsource = "EPA"\nmolar_mass_gpmol = 70.9\n[chlorine.ppm]\n10 = [0.5, 2.8, 50]\n'
)
INSTRUMENTS = (
    b'["air-1"]\naddress = "tcp://192.0.2.1:4001"\nunit = "ppm"\nlimit = 0.1\n'
    b'[["air-1".calibrations]]\ntime = 2026-01-01T00:00:00Z\nzero = 1.0\nspan = 1.2\n'
)
AREA = (
    b'{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", '
    b'"coordinates": [[[12.9, 44.9], [12.91, 44.9], [12.91, 44.91], [12.9, 44.9]]]}}]}'
)
ANNOTATIONS = b'{"image": "a.jpg", "split": "test", "objects": [{"class": "weapon", "box_xyxy": [1, 2, 30, 40]}]}\n'
