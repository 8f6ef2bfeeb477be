"""An etcd of the test's own, and programs beside it, for the tests that are Python scripts. Standard library only.

Everything started here is ended here, by its own process id; everything waited for has a limit (in seconds).
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

SKIPPED = 77   # Meson's exit status for it


def etcd_binary():
    """The etcd to use, or None."""
    return os.environ.get('DYNCONF_ETCD') or shutil.which('etcd')


def require_etcd():
    if etcd_binary() is None:
        print('no etcd: not in PATH, and DYNCONF_ETCD is not set')
        sys.exit(SKIPPED)


def wait_until(what, condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f'{what}: not within {seconds} s')
        time.sleep(0.02)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(('127.0.0.1', 0))
        return [s.getsockname()[1] for s in sockets]


def openssl(*arguments):
    subprocess.run(['openssl', *map(str, arguments)], check=True, stdin=subprocess.DEVNULL, capture_output=True)


class Authority:
    """A certificate authority of the test's own; its files are in `folder`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.certificate, self.key = self.folder / 'ca.pem', self.folder / 'ca.key'
        openssl('req', '-x509', *self.new_key, '-subj', '/O=test authority', '-days', 30, '-keyout', self.key, '-out', self.certificate)

    new_key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes')

    def issue(self, name, password=None):
        """A certificate for 127.0.0.1 and its key: NAME.pem and NAME.key."""
        made = [self.folder / f'{name}.{end}' for end in ('pem', 'key', 'csr', 'ext')]
        certificate, key, request, extensions = made
        openssl('req', *self.new_key, '-subj', '/O=test', '-keyout', key, '-out', request)
        extensions.write_text('subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n')
        openssl('x509', '-req', '-in', request, '-CA', self.certificate, '-CAkey', self.key, '-CAcreateserial', '-days', 30,
                '-extfile', extensions, '-out', certificate)
        if password:
            openssl('pkcs8', '-topk8', '-in', key, '-out', f'{key}.encrypted', '-passout', f'pass:{password}')
            os.replace(f'{key}.encrypted', key)
        return certificate, key


class Etcd:
    """Use with `with`. kill() and start() keep ports and data. With an `authority` it speaks TLS and asks for certificates."""

    def __init__(self, authority=None):
        self.flags = []
        self.scheme, self.tls, self.root, self.token = 'http', None, None, None
        if authority:
            certificate, key = authority.issue('server')
            self.scheme = 'https'
            self.flags = ['--cert-file', str(certificate), '--key-file', str(key), '--client-cert-auth',
                          '--trusted-ca-file', str(authority.certificate)]
            self.tls = ssl.create_default_context(cafile=authority.certificate)
            self.tls.load_cert_chain(certificate, key)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='dynconf-etcd-'))
        self.process = None
        self.ports = None

    def __enter__(self):
        try:
            for attempt in range(3):
                self.ports = free_ports(2)
                try:
                    self.start()
                    return self
                except AssertionError:   # somebody else may have taken a port
                    if attempt == 2:
                        raise
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def endpoint(self):
        return f'{self.scheme}://127.0.0.1:{self.ports[0]}'

    def start(self):
        client, peer = self.endpoint, f'http://127.0.0.1:{self.ports[1]}'
        with open(self.directory / 'log', 'ab') as log:
            self.process = subprocess.Popen(
                [etcd_binary(), '--name', 'private', '--data-dir', str(self.directory / 'data'), '--logger', 'zap',
                 '--log-level', 'warn', '--listen-client-urls', client, '--advertise-client-urls', client,
                 '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', f'private={peer}',
                 *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until('etcd answers', self.healthy, 20)
            if self.root:
                self.log_in()
        except AssertionError:
            self.kill()
            raise

    def healthy(self):
        if self.process.poll() is not None:
            log = (self.directory / 'log').read_text(errors='replace')
            raise AssertionError(f'etcd ended with {self.process.returncode}: {log[-500:]}')
        try:
            with urllib.request.urlopen(self.endpoint + '/health', timeout=2, context=self.tls) as answer:
                return json.load(answer).get('health') == 'true'
        except OSError:
            return False

    def kill(self):
        """SIGKILL, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def call(self, path, body):
        request = urllib.request.Request(self.endpoint + path, json.dumps(body).encode())
        if self.token:
            request.add_header('Authorization', self.token)
        with urllib.request.urlopen(request, timeout=10, context=self.tls) as answer:
            return json.load(answer)

    def enable_auth(self, password):
        """With the user root, who makes the further calls."""
        self.root = {'name': 'root', 'password': password}
        self.call('/v3/auth/user/add', self.root)
        self.call('/v3/auth/role/add', {'name': 'root'})
        self.call('/v3/auth/user/grant', {'user': 'root', 'role': 'root'})
        self.call('/v3/auth/enable', {})
        self.log_in()

    def log_in(self):
        """A token does not outlive a restart."""
        self.token = None
        self.token = self.call('/v3/auth/authenticate', self.root)['token']

    def put(self, key, value):
        self.call('/v3/kv/put', {'key': b64(key), 'value': b64(value)})

    def put_together(self, content):
        """In one transaction."""
        operations = [{'request_put': {'key': b64(k), 'value': b64(v)}} for k, v in content.items()]
        self.call('/v3/kv/txn', {'success': operations})

    def delete(self, key):
        self.call('/v3/kv/deleterange', {'key': b64(key)})


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Program:
    """A program whose output is read as it comes. Use with `with`: what still runs at the end is killed."""

    def __init__(self, *command, env=None):
        clean = {k: v for k, v in os.environ.items() if not k.startswith('EtcdSettings__') and k != 'USE_LOCAL_CONFIG'}
        clean.update(env or {})
        self.name = os.path.basename(str(command[0]))
        self.lines = []
        self.seen = 0
        self.process = subprocess.Popen([str(c) for c in command], env=clean, stdin=subprocess.DEVNULL, text=True,
                                        errors='replace', stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip('\n'))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        if kind is not None:
            print(f'--- {self.name} printed:', *self.lines, '---', sep='\n')

    def expect(self, pattern, seconds=10):
        """The next line that matches, from where the last expect() stopped."""
        found = []

        def look():
            ended = not self.reader.is_alive()
            while self.seen < len(self.lines):
                line = self.lines[self.seen]
                self.seen += 1
                match = re.search(pattern, line)
                if match:
                    found.append(match)
                    return True
            if ended:
                raise AssertionError(f'{self.name} ended without a line like: {pattern}')
            return False

        wait_until(f'{self.name}: a line like: {pattern}', look, seconds)
        return found[0]

    def finish(self, status=0, seconds=20):
        """Waits for the program's end and checks its status."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.name} did not end within {seconds} s') from None
        self.reader.join()
        if self.process.returncode != status:
            raise AssertionError(f'{self.name} ended with {self.process.returncode}, not {status}')

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.expect('^stopped$')
        self.finish()


def check(holds, words):
    if not holds:
        raise AssertionError(words)
