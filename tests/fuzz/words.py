"""Byte strings that mean something to each parser."""

_HTTP = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b": ", b":", b" ", b"\t", b"\x0b", b"\0", b",", b";", b"\r\n ", b"\r\n\t",
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1\r\n", b"Host: a\r\n", b"Content-Length: 3\r\n",
    b"content-length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"transfer-encoding: gzip, chunked\r\n", b"chunked",
    b"Connection: close\r\n", b"connection: keep-alive\r\n", b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n",
    b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"3\r\nabc\r\n", b"1;x=y\r\na\r\n", b"ffffffffffffffff\r\n", b"abc",
    b"trailer: t\r\n", b"0\r\nx: y\r\n\r\n",
]  # fmt: skip

WORDS: dict[str, list[bytes]] = {
    "guard": [
        *_HTTP, b"GET / HTTP/1.1\r\n", b"POST /v1/messages HTTP/1.1\r\n", b"GET ", b"POST ", b"/", b"?", b"#", b"*",
        b"http://a/", b"CONNECT a:1 HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    ],
    "answer": [
        *_HTTP, b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 204 x\r\n", b"HTTP/1.1 304 x\r\n", b"HTTP/1.1 101 x\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
    ],
    "sse": [
        b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"data:", b"data: ", b"event: ", b"event:error\n", b":",
        b"id: 1\n", b"retry: 1\n", b"message_start", b"message_delta", b"message_stop", b"error", b"\xef\xbb\xbf",
        b'{"type":"message_stop"}', b'{"type":"error","error":{"type":"overloaded_error"}}', b"content_block_delta",
        b'{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}}',
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}', b'"usage":',
        b"null", b"-1", b"1.5", b"1e400", b"true", b"[]", b"{}", b'"iterations":[{}]', b"\\ud800", b"\xff", b"[" * 999,
    ],
    "body": [
        b'"model"', b'"stream"', b'"max_tokens"', b'"messages"', b'"system"', b'"tools"', b'"model":"a"', b'"a"', b":",
        b",", b"{", b"}", b"[", b"]", b'"', b"\\", b"\\u006d", b"\\u006D", b'"\\u006dodel"', b'"max\\u005ftokens"',
        b"\\ud800", b"\\udc00", b"\\u0000", b"\xef\xbb\xbf", b"\xff", b"\xc0\xae", b"null", b"true", b"false", b"NaN",
        b"Infinity", b"1e400", b"-0", b"1.0", b"01", b"\t", b"\n", b"/**/", b"'", b"[" * 200, b'{"a":' * 200,
        b'"messages":"' + b"x" * 1100 + b'"', b'"system":["' + b"y" * 1100 + b'"]', b'"tools":{"model":"z"}',
    ],
    "encoding": [
        b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"identity", b"compress", b",", b" ", b"\n", b"\x1f\x8b\x08\0",
        b"\x78\x9c", b"\x28\xb5\x2f\xfd", b"\0\0\0\0\0\0\0\0", b"\x03\0", b"\x50\x2a\x4d\x18\x04\0\0\0",
    ],
    "paths": [
        b"GET ", b"POST ", b"HEAD ", b"/", b"//", b"/.", b"/..", b"%2e", b"%2F", b"%5c", b"%00", b"%25", b"%0d%0a",
        b"%", b"%c0%ae", b"%u002e", b";x=1", b"\\", b"?", b"#", b"@", b":", b"\t", b" ", b"\0", b"\xff", b"~",
        b"/v1/messages", b"/v1/messages/count_tokens", b"/v1/models", b"/v1/models/", b"/api/",
        b"/run/0192f0c1-aaaa", b"/health", b"/v1/",
    ],
    "windows": [
        b"\n", b":", b"-status", b"-utilization", b"-reset", b"-surpassed-threshold", b"status:", b"reset:", b"5h",
        b"7d", b"representative-claim:", b"overage-", b"allowed", b"rejected", b"five_hour", b"seven_day_opus",
        b"1900000000", b"0.42", b"1e-7", b"nan", b"inf", b"-1", b"9" * 40, b"2030-01-01T00:00:00Z", b"\xff", b"{", b"}",
        b'"utilization":', b'"resets_at":', b'"limits":[', b'"kind":"spend"', b'"percent":', b'"scope":', b"1e400",
        b"true", b"null", b'""',
    ],
}  # fmt: skip
