#!/usr/bin/env python3
"""Whether a secret ever gets out: canary.py CANARY_PROGRAM [--tool DYNCONF] [--samples DIR] [--keep DIR]

Passwords, tokens, keys and secret settings that occur nowhere else go through a program that does all there is to do with them, the
dynconf program and the samples, at the most verbose level of the log, where all is well and where nothing is: wrong passwords,
missing permissions, a password that changes, endpoints with a user part, servers that send back what they were sent. Then
everything that was printed or written, and the memory of the program once it has let go of all, is searched. Standard library only.
"""

import argparse
import base64
import concurrent.futures
import contextlib
import http.server
import json
import os
import pathlib
import re
import secrets
import socket
import socketserver
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
import private_etcd  # noqa: E402

LIMIT = 240
BY_OPENSSL = 'its number'   # OpenSSL 3.0 frees the decoded form of a private key as it is: PEM_read_bio_PrivateKey alone leaves it twice


class Recorder:
    """A wire to etcd that remembers the tokens it carries."""

    def __init__(self, port):
        self.tokens, self.lock = set(), threading.Lock()
        recorder = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port)) as to:
                    back = threading.Thread(target=recorder.pump, args=(to, self.request), daemon=True)
                    back.start()
                    recorder.pump(self.request, to)
                    back.join()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address = True, True
        self.server = Server(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.endpoint = f'http://127.0.0.1:{self.server.server_address[1]}'

    def pump(self, from_, to):
        seen = b''
        with contextlib.suppress(OSError):
            while data := from_.recv(65536):
                seen = (seen + data)[-131072:]
                for token in re.findall(rb'"token":\s*"([^"]+)"|Authorization: (\S+)', seen):
                    with self.lock:
                        self.tokens.add((token[0] or token[1]).decode())
                to.sendall(data)
        for s in (from_, to):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)


class Echo(http.server.BaseHTTPRequestHandler):
    """Says what it was told, each time in another way; unless it is nice at the login, with a token of its own."""
    protocol_version = 'HTTP/1.1'
    count = 0

    def handle(self):
        with contextlib.suppress(OSError):   # who has had enough hangs up
            super().handle()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode(errors='replace')
        what = body + ' ' + self.headers.get('Authorization', '') if self.server.repeats else 'no'
        Echo.count += 1
        ways = [(500, json.dumps({'error': what, 'code': 2, 'message': what})), (403, json.dumps({'error': what, 'code': 7})),
                (400, what), (200, what), (200, '<html>' + what), (418, what.rjust(300)), (200, json.dumps({'result': what})),
                (200, json.dumps({'error': {'message': what, 'grpc_code': 13}})), (401, json.dumps({'error': what, 'code': 16}))]
        status, text = ways[Echo.count % len(ways)]
        if self.server.token and self.path == '/v3/auth/authenticate':
            status, text = 200, json.dumps({'token': self.server.token})
        data = text.encode()
        self.send_response(status)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST

    def log_message(self, *_):
        pass


def echo(token, tls=None):
    """`tls`: by which certificate and key, those of the clients as well. Such a one does not repeat what it was told, and so leaves it in
    nobody's memory."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Echo)
    server.daemon_threads, server.token, server.repeats, server.handle_error = True, token, not tls, lambda *_: None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        context.load_verify_locations(tls[0])
        context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f'http{"s" if tls else ""}://127.0.0.1:{server.server_address[1]}'


def in_base64(raw):
    """Wherever it begins in what was encoded."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode().rstrip('=')
        whole = (before + len(raw)) % 3 == 0   # else the last character has to do with what follows, too
        yield text[(before * 8 + 5) // 6:None if whole else -1]


def forms(secret):
    """As it may be written: itself, in JSON, in hex, in base64, as the library quotes bytes."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    text = raw.decode('latin-1')
    escaped = json.dumps(text)[1:-1]
    quoted = ''.join(c if ' ' <= c < '\x7f' else f'\\x{ord(c):02x}' for c in text)
    standard = set(in_base64(raw))
    return {text, escaped, escaped.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026'), quoted, raw.hex(), raw.hex().upper(),
            *standard, *(s.replace('+', '-').replace('/', '_') for s in standard)}


class Stage:
    def __init__(self, etcd, folder):
        self.etcd, self.folder, self.root_token = etcd, folder, None
        def word():
            return secrets.token_hex(24)
        self.passwords = {'password': f'cn1"<&\\{word()}', 'wrong': f'cn2-{word()}', 'another': f'cn3-{word()}',
                          'url': f'cn4-{word()}', 'next': f'cn5-{word()}'}
        self.values = {'first': f'cv1-{word()}', 'second': f'cv2-{word()}', 'sample': f'cv3-{word()}', 'number': f'cv4-{word()}'}
        self.keys = {'passphrase': f'cp1-{word()}'.encode(), 'password of a key': f'cp2-{word()}'.encode(),
                     'ring key one': secrets.token_bytes(32), 'ring key two': secrets.token_bytes(32)}
        self.echoed = f'ct1-{word()}.12'
        self.outputs = {}

    def root(self, path, body):
        request = urllib.request.Request(self.etcd.endpoint + path, json.dumps(body).encode())
        if self.root_token:
            request.add_header('Authorization', self.root_token)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def put(self, key, value):
        self.root('/v3/kv/put', {'key': private_etcd.b64(key), 'value': private_etcd.b64(value)})

    def log_in(self):
        self.root_token = None
        self.root_token = self.root('/v3/auth/authenticate', {'name': 'root', 'password': 'r00t'})['token']

    def prepare(self):
        for name, word in self.passwords.items():
            if name != 'next':
                (self.folder / name).write_text(word)
        for user, word in (('root', 'r00t'), ('svc', self.passwords['password'])):
            self.root('/v3/auth/user/add', {'name': user, 'password': word})
        self.root('/v3/auth/role/add', {'name': 'root'})
        self.root('/v3/auth/user/grant', {'user': 'root', 'role': 'root'})
        self.root('/v3/auth/role/add', {'name': 'app'})
        for prefix in ('/app/', '/database/', '/http_service/', '/APPS/'):
            self.root('/v3/auth/role/grant', {'name': 'app', 'perm': {'permType': 'READWRITE', 'key': private_etcd.b64(prefix),
                      'range_end': private_etcd.b64(prefix[:-1] + '0')}})
        self.root('/v3/auth/user/grant', {'user': 'svc', 'role': 'app'})
        self.put('/app/Password', self.values['first'])
        self.put('/app/Port', self.values['number'])
        self.put('/database/Password', self.values['sample'])
        self.put('/database/Host', 'db1')
        self.root('/v3/auth/enable', {})
        self.log_in()

    def prepare_keys(self):
        """A certificate that is its own authority, for a server and its clients, and keys for values."""
        def openssl(*arguments):
            return subprocess.run(['openssl', *arguments], cwd=self.folder, check=True, capture_output=True).stdout
        curve = ['-pkeyopt', 'ec_paramgen_curve:P-256']
        openssl('req', '-x509', '-newkey', 'ec', *curve, '-nodes', '-days', '2', '-subj', '/O=canary', '-addext', 'subjectAltName=IP:127.0.0.1',
                '-keyout', 'tls-key', '-out', 'tls-certificate')
        openssl('genpkey', '-algorithm', 'EC', *curve, '-out', 'tls-other-key')
        (self.folder / 'tls-password').write_bytes(self.keys['password of a key'])
        (self.folder / 'passphrase').write_bytes(self.keys['passphrase'])
        (self.folder / 'ring-one').write_text(self.keys['ring key one'].hex() + '\n')
        (self.folder / 'ring-two').write_bytes(self.keys['ring key two'])
        openssl('pkey', '-in', 'tls-key', '-aes256', '-passout', 'file:tls-password', '-out', 'tls-key-encrypted')
        for name in ('tls-key', 'tls-other-key'):
            described = openssl('pkey', '-in', name, '-noout', '-text').decode()
            number = bytes.fromhex(re.sub(r'[\s:]', '', re.search(r'priv:([\s0-9a-f:]+)pub:', described)[1]))[-32:]
            self.keys[f'{name}, its number'] = number
            self.keys[f'{name}, its number in limbs'] = number[::-1]
            self.keys[f'{name}, its text'] = (self.folder / name).read_bytes().splitlines()[2]   # the line before is the same in every key
        (self.folder / 'https').write_text(echo(self.echoed, (self.folder / 'tls-certificate', self.folder / 'tls-key')))

    def change(self):
        """The password of a running service, its secret settings, and with them all tokens."""
        self.root('/v3/auth/user/changepw', {'name': 'svc', 'password': self.passwords['next']})
        fresh = self.folder / 'fresh'
        fresh.write_text(self.passwords['next'] + '\n')
        fresh.rename(self.folder / 'password')
        self.etcd.kill()
        self.etcd.start()
        self.log_in()
        self.put('/app/Password', self.values['second'])
        self.put('/app/Name', 'changed')


def canary_program(stage, program, recorder, *endpoints):
    """Its output is in stage.outputs; how often, and where, each secret is left in its memory."""
    work = stage.folder / 'work'
    work.mkdir(exist_ok=True)
    command = [program, stage.folder, 'changes' if recorder.endpoint in endpoints else 'stays', *endpoints]
    with subprocess.Popen([str(c) for c in command], cwd=work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding='latin-1') as run:
        stop = threading.Timer(LIMIT, run.kill)
        stop.start()
        needles, hits, lines = [], [], []

        def answer():
            run.stdin.write('\n')
            run.stdin.flush()

        for line in run.stdout:
            if line.startswith('@change'):
                stage.change()
                answer()
            elif line.startswith('@scan'):
                # Without the beginning, over which malloc writes its lists of what is free.
                needles = [('password ' + n, stage.passwords[n][16:]) for n in ('password', 'wrong', 'another', 'next')]
                needles += [('a token', t) for t in sorted(recorder.tokens)]
                needles += [('setting ' + n, stage.values[n][16:]) for n in ('first', 'second')]
                needles = [(n, s if isinstance(s, bytes) else s.encode()) for n, s in needles]
                needles += [(n, s[16:]) for n, s in stage.keys.items()]
                text = '\n'.join(bytes(~b & 255 for b in secret).hex() for _, secret in needles)
                (stage.folder / 'needles').write_text(text + '\n')
                answer()
            elif line.startswith('@hits'):
                hits.append(line[6:].strip())   # what is around it may be anything: not to be searched itself
            else:
                lines.append(line)
        run.wait()
        stop.cancel()
    stage.outputs['canary-program'] = stage.outputs.get('canary-program', '') + ''.join(lines)
    if run.returncode != 0 or len(hits) != len(needles) or not hits:
        print(*lines[-15:], sep='')
        sys.exit(f'the program ended with {run.returncode}')
    return [(name, *hit.split(maxsplit=1)) for (name, _), hit in zip(needles, hits)]


def run_tool(stage, tool, endpoint):
    good, wrong, url = stage.passwords['next'], stage.passwords['wrong'], stage.passwords['url']
    at = ['--endpoints', endpoint, '--command-timeout', '3s']
    cases = [(['get', '/app/', '--prefix', '--keys-only', *at], good), (['get', '/elsewhere', *at], good), (['get', '/app/Name', *at], wrong),
             (['put', '/app/Name', 'x', *at], good), (['put', '/elsewhere', 'x', *at], good), (['status', *at], good), (['status', *at], wrong),
             (['del', '/elsewhere', *at], good), (['get', 'k', '--endpoints', f'http://svc:{url}@{endpoint[7:]}'], good),
             (['status', '--endpoints', f'http://h,http://u:{url},{url}@h'], good), (['get', 'k', '--password', url, url, *at], good),
             (['get', 'k', '--endpoints', echo(None), '--command-timeout', '2s'], good),
             (['get', 'k', '--endpoints', echo(stage.echoed), '--command-timeout', '2s'], good),
             (['status', '--endpoints', echo(stage.echoed), '--command-timeout', '2s'], good)]
    for number, (arguments, password) in enumerate(cases):
        for how in ('environment', 'arguments', 'file'):
            env = {k: v for k, v in os.environ.items() if not k.startswith('DYNCONF_')}
            extra = ['--user', 'svc', '--password', password] if how == 'arguments' else []
            if how == 'file':
                (stage.folder / 'of the tool').write_text(password + '\n')
                extra = ['--user', 'svc', '--password-file', str(stage.folder / 'of the tool')]
            if how == 'environment':
                env.update(DYNCONF_USER='svc', DYNCONF_PASSWORD=password)
            done = subprocess.run([tool, *arguments, *extra], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  encoding='latin-1', timeout=60, cwd=stage.folder / 'work')
            stage.outputs[f'dynconf {arguments[0]} {number} {how}'] = done.stdout


def run_sample(stage, program, endpoint, password):
    env = {**os.environ, 'EtcdSettings__HostName': endpoint, 'EtcdSettings__UserName': 'svc', 'EtcdSettings__Password': password,
           'DB_PASSWORD': stage.values['sample']}
    with subprocess.Popen([program], env=env, cwd=stage.folder / 'work', stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding='latin-1') as run:
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(2)   # long enough to say what it has to say; a service goes on
        run.terminate()
        kill = threading.Timer(20, run.kill)
        kill.start()
        said = run.stdout.read()
        kill.cancel()
        return said


def run_samples(stage, samples, endpoint):
    cases = ((endpoint, stage.passwords['next']), (endpoint, stage.passwords['wrong']), (echo(stage.echoed), stage.passwords['next']),
             (f'http://svc:{stage.passwords["url"]}@h:1', stage.passwords['next']))
    programs = sorted(p for p in pathlib.Path(samples).iterdir() if p.is_file() and os.access(p, os.X_OK))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = {program.name: [pool.submit(run_sample, stage, program, *case) for case in cases] for program in programs}
        for name, runs in said.items():
            stage.outputs[f'sample {name}'] = ''.join(run.result() for run in runs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('--tool')
    parser.add_argument('--samples')
    parser.add_argument('--keep', type=pathlib.Path, help='where to leave what was searched')
    args = parser.parse_args()
    program, tool, samples = (p and os.path.abspath(p) for p in (args.program, args.tool, args.samples))   # it changes its directory
    private_etcd.require_etcd()
    faults = []
    with private_etcd.Etcd() as etcd, tempfile.TemporaryDirectory(prefix='dynconf-canary-') as folder:
        stage = Stage(etcd, pathlib.Path(folder))
        recorder = Recorder(etcd.ports[0])
        stage.prepare()
        stage.prepare_keys()
        # Memory first: an answer that repeats a secret may stay there. So may values, which pass through ordinary strings.
        left = canary_program(stage, program, recorder, recorder.endpoint)
        for name, count, *around in left:
            if count != '0' and not name.startswith('setting') and not name.endswith(BY_OPENSSL):
                faults.append(f'{name}: {count} times in memory: {"".join(around)}')
        canary_program(stage, program, recorder, echo(None), echo(stage.echoed))
        if tool:
            run_tool(stage, tool, recorder.endpoint)
        if samples:
            run_samples(stage, samples, recorder.endpoint)

        hidden = {f'password {n}': s for n, s in stage.passwords.items()}
        hidden.update({f'token {i}': t for i, t in enumerate(sorted(recorder.tokens | {stage.echoed}))})
        hidden.update(stage.keys)
        settings = {f'setting {n}': s for n, s in stage.values.items()}
        for file in sorted((stage.folder / 'work').rglob('*')):
            if not file.is_file():
                continue
            stage.outputs[f'file {file.name}'] = file.read_text(encoding='latin-1')
            if file.name.startswith('cache') and stat.S_IMODE(file.stat().st_mode) != 0o600:
                faults.append(f'{file.name} is open to others')
        for name, text in stage.outputs.items():
            # The copy on disk holds the settings, by design; whoever asks for a key by `get` gets its value.
            wanted = hidden if name.startswith('file cache') else {**hidden, **settings}
            for which, secret in wanted.items():
                found = [f for f in forms(secret) if f in text]
                if found:
                    line = next((part for part in text.splitlines() if found[0] in part), '')
                    faults.append(f'{which} in {name}: {line[:300]}')
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            for name, text in stage.outputs.items():
                (args.keep / re.sub(r'\W+', '-', name)).write_text(text)
        size = sum(len(t) for t in stage.outputs.values())
        said = stage.outputs['canary-program']
        for must in ('authenticate_failed', 'credentials_given', 'permission denied', 'log token_fetched', '****', 'rejected port', '"name":"changed"',
                     'tls: ', 'client certificate is encrypted', 'sealed: plain', 'rotated 1', 'made a key of words', 'no key: '):
            if must not in said:
                faults.append(f'the program did not get to: {must}')
        silent = [name for name, text in stage.outputs.items() if name.startswith('sample ') and not text]
        faults += [f'{name} said nothing' for name in silent]
        if len(recorder.tokens) < 3:
            faults.append(f'{len(recorder.tokens)} tokens were seen')
        print(*faults, f'{len(hidden)} passwords, tokens and keys and {len(settings)} settings in {len(stage.outputs)} outputs and files of {size} bytes, '
              f'{sum(not name.startswith("setting") and not name.endswith(BY_OPENSSL) for name, *_ in left)} of them looked for in memory: {len(faults)} faults', sep='\n')
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
