#!/usr/bin/env python3
"""Runs one sample beside an etcd of its own and checks what it prints: run.py SAMPLE PROGRAM"""

import http.client
import json
import pathlib
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from private_etcd import Authority, Etcd, Program, b64, check, free_ports, require_etcd, wait_until  # noqa: E402


def quickstart(program):
    with Etcd() as etcd:
        etcd.put('/q/greeting', 'hello')
        with Program(program, env={'EtcdSettings__HostName': etcd.endpoint, 'EtcdSettings__RootKey': '/q'}) as sample:
            sample.expect('^state live$')
            sample.expect('^missing db_port')
            sample.expect(r'^settings  revision=\d+ origin=etcd greeting=hello db_port=5432$')
            etcd.put('/q/greeting', 'hi')
            sample.expect('^changed greeting: hello -> hi$')
            etcd.put('/q/db_port', '80')
            sample.expect('^refused db_port: .*from 1024 to 65535.*"80"')
            etcd.put('/q/db_port', '6543')
            sample.expect('^changed db_port: 5432 -> 6543$')
            etcd.kill()
            sample.expect('^state stale  cause=.', 20)
            sample.expect('origin=etcd greeting=hi db_port=6543$')
            etcd.start()
            etcd.put_together({'/q/greeting': 'good evening', '/q/db_port': '7654'})
            sample.expect('^state live$', 40)
            sample.expect('^changed db_port: 6543 -> 7654$')
            sample.expect('^changed greeting: hi -> good evening$')
            sample.stop()


def control_unit(program):
    with Etcd() as etcd:
        unit = '/dev/apps/unit'
        for leaf, text in {'PostgresDsn': 'postgres://u:hidden-dsn@db/x', 'password': 'hidden-password', 'CspMessage': 'hello',
                           'ClosedStatuses': 'done, rejected,,spam', 'LogSqlEcho': 'YES', 'AiHttpTimeoutSeconds': '2.5',
                           'AiHttpMaxConnections': '20', 'UseFakeExternalsAi': 'maybe'}.items():
            etcd.put(f'{unit}/{leaf}', text)
        etcd.put('/dev/apps/unit2/CspMessage', 'of somebody else')
        with Program(program, env={'EtcdSettings__HostName': etcd.endpoint, 'EtcdSettings__RootKey': 'apps/unit/',
                                   'EtcdSettings__Dev': 'True'}) as sample:
            sample.expect('^refused use_fake_externals_ai: .*"maybe"')
            sample.expect(f'^33 settings below {unit}, revision 10, live$')
            for line in [r'ai_http_max_connections = "20"  \[etcd\]',
                         r'ai_http_max_keepalive_connections = "5"  \[default\]',
                         r'ai_http_timeout_seconds = "2.5"  \[etcd\]',
                         r'basic_auth_password = \*\*\*\*  \[etcd\]',
                         r'basic_auth_username = \(none\)  \[none\]',
                         r'closed_statuses = "done,rejected,spam"  \[etcd\]',
                         r'collie_password = \(none\)  \[none\]',
                         r'csp_message = "hello"  \[etcd\]',
                         r'log_sql_echo = "true"  \[etcd\]',
                         r'postgres_dsn = \*\*\*\*  \[etcd\]',
                         r'use_fake_externals_discord = "false"  \[default\]']:
                sample.expect(f'^setting {line}$')
            sample.expect(f'^key {unit}/AiHttpMaxConnections = 20$')
            sample.expect(f'^key {unit}/AiHttpMaxKeepaliveConnections = 5$')
            sample.expect('^following$')
            check(sum(line.startswith('setting ') for line in sample.lines) == 33, 'not 33 settings')

            etcd.put(f'{unit}/CleanupStart', 'on')
            sample.expect(r'^changed cleanup_start = "true"  \[etcd\]$')
            etcd.put(f'{unit}/CleanupStart', 'perhaps')
            sample.expect('^refused cleanup_start: .*"perhaps"')
            etcd.delete(f'{unit}/CspMessage')
            sample.expect(r'^changed csp_message = \(none\)  \[none\]$')
            etcd.put(f'{unit}/password', 'hidden-again')
            sample.expect(r'^changed basic_auth_password = \*\*\*\*  \[etcd\]$')
            etcd.put_together({f'{unit}/LogLevel': 'DEBUG', f'{unit}/SpamCount': '3'})
            sample.expect(r'^changed log_level = "DEBUG"  \[etcd\]$')
            sample.expect(r'^changed spam_count = "3"  \[etcd\]$')
            sample.stop()
        check(not any('hidden' in line for line in sample.lines), 'a secret was printed')
        check(not any('somebody else' in line for line in sample.lines), 'a key of another root was read')


def local_env(program):
    values = {'WORKER_QUEUE': 'jobs', 'WORKER_COUNT': '100', 'WORKER_TIMEOUT': '1m30s'}

    def settings(sample):
        sample.expect(r'^setting queue = "jobs"  \[environment\]$')
        sample.expect(r'^setting tags = \[\]  \[default\]$')
        sample.expect(r'^setting timeout = "1m30s"  \[environment\]$')
        sample.expect(r'^setting workers = 4  \[default\]$')

    with Program(program, env={'USE_LOCAL_CONFIG': 'True', **values}) as sample:   # by choice
        sample.expect('^state local, values from environment$')
        sample.expect('^not set: tags$')
        sample.expect('^refused WORKER_COUNT: workers: .*from 1 to 64, got "100"')
        settings(sample)
        sample.finish()
        check(not any('not followed' in line for line in sample.lines), 'local mode is no failure')

    nobody = f'http://127.0.0.1:{free_ports(1)[0]}'
    with Program(program, env={'EtcdSettings__HostName': nobody, **values}) as sample:   # nobody answers
        sample.expect('^state local, values from environment$', 20)
        sample.expect('^etcd is not followed: .*refused')
        settings(sample)
        sample.finish()

    with Program(program, env={'USE_LOCAL_CONFIG': 'true'}) as sample:   # nothing at all
        sample.expect('^required, but not set: queue$')
        sample.expect(r'^setting queue = null  \[none\]$')
        sample.finish(status=1)

    with Program(program) as sample:
        sample.expect('^local_env: .*EtcdSettings__HostName')
        sample.finish(status=1)

    with Etcd() as etcd:   # the same program follows etcd when it is there
        etcd.put('/worker/Queue', 'from etcd')
        with Program(program, env={'EtcdSettings__HostName': etcd.endpoint, **values}) as sample:
            sample.expect('^state live, values from etcd$')
            sample.expect(r'^setting queue = "from etcd"  \[etcd\]$')
            sample.finish()


def custom_schema(program):
    with Etcd() as etcd:
        etcd.put('/database/Host', 'db1')
        etcd.put('/database/Port', '80')
        etcd.put('/database/Password', 'hidden')
        with Program(program, env={'EtcdSettings__HostName': etcd.endpoint}) as sample:
            first = '{"db_host":"db1","db_password":"\\*\\*\\*\\*","db_port":5432}$'
            sample.expect('^class revision=4 ' + first)
            sample.expect('^class refused /database/Port: db_port: ports below 1024')
            sample.expect('^struct revision=4 ' + first)
            sample.expect('^struct refused /database/Port: db_port: expected at least 1024, got "80"')
            sample.expect('^bound db1:5432 with a password$')

            def both(*patterns):   # each style has its own watch: they come in any order
                start = sample.seen
                for pattern in patterns:
                    sample.seen = start
                    sample.expect(pattern)

            etcd.put('/database/Port', '6543')
            both('^class revision=5 .*"db_port":6543}$', '^struct revision=5 .*"db_port":6543}$')
            etcd.put('/database/Port', 'none')
            both('^class refused /database/Port: .*got "none"', '^struct refused /database/Port: .*got "none"')
            etcd.put_together({'/database/Host': 'db2', '/database/Port': '7000'})
            both('^class revision=7 {"db_host":"db2",.*"db_port":7000}$', '^struct revision=7 {"db_host":"db2",.*"db_port":7000}$')
            etcd.delete('/database/Port')
            both('^class revision=8 .*"db_port":5432}$', '^struct revision=8 .*"db_port":5432}$')
            sample.stop()
        check(not any('hidden' in line for line in sample.lines), 'a secret was printed')


def takes_connections(port):
    try:
        socket.create_connection(('127.0.0.1', port), timeout=5).close()
        return True
    except OSError:
        return False


def http_service(program):
    with Etcd() as etcd:
        etcd.put('/http_service/greeting', 'good day')
        with Program(program, env={'EtcdSettings__HostName': etcd.endpoint}) as sample:
            port = int(sample.expect(r'^listening on http://127\.0\.0\.1:(\d+)$').group(1))
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)   # one, kept alive

            def ask(body=None, target='/'):
                connection.request('POST' if body else 'GET', target, body)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()

            def health():
                status, text = ask(target='/health')
                check(status == 200, f'/health: {status}')
                return json.loads(text)

            check(ask() == (200, 'good day\n'), 'the first answer')
            check(ask('world') == (200, 'good day, world\n'), 'a body')
            check(health()['state'] == 'live' and health()['endpoint'] == etcd.endpoint, f'health: {health()}')

            etcd.put('/http_service/features/shout', 'on')
            wait_until('the feature is on', lambda: ask() == (200, 'GOOD DAY\n'), 10)
            etcd.put('/http_service/limits/max_body', '8')
            wait_until('the limit is lower', lambda: ask('123456789') == (413, 'at most 8 bytes\n'), 10)
            check(ask('12345678') == (200, 'GOOD DAY, 12345678\n'), 'a body at the limit')
            connection.request('POST', '/', iter([b'12345', b'6789']), encode_chunked=True,
                               headers={'Transfer-Encoding': 'chunked'})
            answer = connection.getresponse()
            check(answer.status == 413, f'chunks beyond the limit: {answer.status}')
            answer.read()

            etcd.kill()
            wait_until('health is stale', lambda: health()['state'] == 'stale' and health()['cause'], 20)
            check(ask() == (200, 'GOOD DAY\n'), 'the last good values')
            etcd.start()
            etcd.put('/http_service/features/shout', 'off')
            wait_until('health is live', lambda: health()['state'] == 'live', 40)
            wait_until('the feature is off', lambda: ask() == (200, 'good day\n'), 10)
            check(health()['interruptions'] >= 1, 'no interruption was counted')

            # Stopping: an idle connection is closed, a request under way gets its answer, no new connection is taken.
            with socket.create_connection(('127.0.0.1', port), timeout=20) as slow:
                slow.sendall(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab')
                check(ask()[0] == 200, 'beside a slow request')   # by now the server has read what came of it
                sample.process.terminate()
                check(connection.sock.recv(1) == b'', 'the idle connection stays open')
                wait_until('no new connection', lambda: not takes_connections(port), 10)
                slow.sendall(b'cd')
                answer = slow.recv(1000)
                check(answer.startswith(b'HTTP/1.1 200') and answer.endswith(b'good day, abcd\n'), f'the slow request: {answer}')
                check(b'Connection: close' in answer, 'the answer does not say that it is the last')
            sample.expect('^stopped$')
            sample.finish()


def kv(program):
    with Etcd() as etcd, Program(program, env={'EtcdSettings__HostName': etcd.endpoint}) as sample:
        sample.expect('^put at revision 5, before: value 1$')
        sample.expect('^/kv/name1 = another value, version 2$')
        sample.expect('^/kv/missing does not exist$')
        sample.expect('^one revision ago: value 1$')
        sample.expect('^  /kv/name3 = value 3$')
        sample.expect('^2 of 3 match$')
        sample.expect('^3 deleted$')
        sample.finish()


def txn(program):
    with Etcd() as etcd, Program(program, env={'EtcdSettings__HostName': etcd.endpoint}) as sample:
        sample.expect('^opened$')
        sample.expect('^open already$')
        sample.expect('^70 transferred$')
        sample.expect('^70 refused: too little$')
        sample.expect('^bob has 70, not 0$')
        sample.expect('^bob is robert now$')
        sample.finish()


def bulk(program):
    with Etcd() as etcd, Program(program, '300', env={'EtcdSettings__HostName': etcd.endpoint}) as sample:
        sample.expect('^128 of 300$')
        sample.expect('^300 of 300$')
        sample.expect('^put in 3 transactions, all$')
        sample.expect('^300 there at one revision$')
        sample.expect('^deleted$')
        sample.finish()


def watch(program):
    with Etcd() as etcd, Program(program, '/watch/', env={'EtcdSettings__HostName': etcd.endpoint}) as sample:
        sample.expect('^watching /watch/$')
        wait_until('the watch is open', lambda: etcd.put('/watch/a', '1') or any('put /watch/a' in line for line in sample.lines), 20)
        etcd.put('/watch/a', 'last')
        sample.expect(r'^\d+ put /watch/a = last, before: 1$')
        etcd.kill()
        etcd.start()
        etcd.delete('/watch/a')
        sample.expect(r'^\d+ delete /watch/a, before: last$', 30)
        sample.process.terminate()
        sample.expect('^stopped$')
        sample.finish()


def lease(program):
    with Etcd() as etcd:
        def there(key):
            return 'kvs' in etcd.call('/v3/kv/range', {'key': b64(key)})
        at = {'EtcdSettings__HostName': etcd.endpoint}
        with Program(program, 'search', '10.0.0.7:80', env=at) as sample:
            sample.expect('^/started/10.0.0.7:80 ends within 60 s$')
            sample.expect('^serving$')
            wait_until('the service is registered', lambda: there('/services/search/10.0.0.7:80'), 10)
            sample.process.terminate()
            sample.expect('^stopped$')
            sample.finish()
        check(not there('/services/search/10.0.0.7:80'), 'the key is still there')
        check('leases' not in etcd.call('/v3/lease/leases', {}), 'a lease is still there')
        with Program(program, 'search', '10.0.0.8:80', env=at):
            wait_until('the service is registered', lambda: there('/services/search/10.0.0.8:80'), 10)
        wait_until('the key of the killed one is gone', lambda: not there('/services/search/10.0.0.8:80'), 20)   # killed


def lock(program):
    with Etcd() as etcd:
        at = {'EtcdSettings__HostName': etcd.endpoint}
        with Program(program, '/jobs/count', env=at) as first, Program(program, '/jobs/count', env=at) as second:
            first_has_it = wait_for_one(first, second)
            holder, waiter = (first, second) if first_has_it else (second, first)
            waiter.expect('^waiting for /jobs/count/')
            wait_until('it counts', lambda: 'kvs' in etcd.call('/v3/kv/range', {'key': b64('/count')}), 10)
            holder.process.terminate()
            holder.expect('^unlocked$')
            holder.finish()
            waiter.expect('^mine  key=/jobs/count/')
            lease = int(waiter.lines[-1].split()[1].rsplit('/', 1)[1], 16)
            etcd.call('/v3/lease/revoke', {'ID': str(lease)})
            waiter.expect('^lock: ')
            waiter.finish(status=1)


def wait_for_one(first, second):
    """Whether the first has it; which one of them is chance."""
    def has_it(sample):
        return any(line.startswith('mine') for line in sample.lines)
    wait_until('one has the lock', lambda: has_it(first) or has_it(second), 10)
    return has_it(first)


def election(program):
    with Etcd() as etcd:
        at = {'EtcdSettings__HostName': etcd.endpoint}
        with Program(program, '/elections/x', 'one', env=at) as one:
            one.expect(r'^leading, token=\d+$')
            one.seen = 0
            one.expect('^leader: one$')
            with Program(program, '/elections/x', 'two', env=at) as two:
                two.expect('^leader: one$')
                one.process.terminate()
                one.expect('^stopped$')
                one.finish()
                two.expect(r'^leading, token=\d+$', 20)
                two.seen = 0
                two.expect('^leader: two$')
                two.process.terminate()
                two.expect('^stopped$')
                two.finish()


def cluster(program):
    with Etcd() as etcd, tempfile.TemporaryDirectory() as folder:
        etcd.put('/a', '1')
        etcd.put('/b', '2')
        copy = pathlib.Path(folder) / 'etcd.db'
        with Program(program, copy, env={'EtcdSettings__HostName': etcd.endpoint}) as sample:
            sample.expect(f'^{etcd.endpoint}$')
            sample.expect(r'^  etcd +\d+\.\d+\.\d+$')
            sample.expect(r'^  JSON gateway +yes$')
            sample.expect(r'^  authentication +off$')
            sample.expect(rf'^leader at {etcd.endpoint}, \d+ bytes$')
            sample.expect(f'^{etcd.endpoint} is healthy$')
            sample.expect('^member .')
            sample.expect('^authentication is off$')
            size = int(sample.expect(r'^2 keys, (\d+) bytes in .*etcd\.db$').group(1))
            sample.finish()
        check(copy.stat().st_size == size, 'the size of the snapshot')


def tls(program):
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        certificate, key = authority.issue('client', 'key-canary')
        with Etcd(authority) as etcd:
            etcd.enable_auth('login-canary')
            etcd.put('/tls/greeting', 'hello')
            env = {'EtcdSettings__HostName': etcd.endpoint, 'EtcdSettings__UserName': 'root',
                   'EtcdSettings__Password': 'login-canary', 'KEY_PASSWORD': 'key-canary'}
            with Program(program, authority.certificate, certificate, key, env=env) as sample:
                sample.expect("^the system's authorities: .*from no accepted authority")
                sample.expect('^no certificate: .*the server requires a client certificate')
                sample.expect('^no password of the key: .*client.key.*no password was given')
                sample.expect('^no user: .*permission denied')
                sample.expect("^another host: .*'another.example' was not accepted")
                sample.expect('^all of it: works$')
                sample.expect(f'^following at {etcd.endpoint}$')
                good = certificate.read_bytes()

                def restarted(content):
                    replaced = certificate.with_suffix('.new')
                    replaced.write_bytes(content)
                    replaced.rename(certificate)
                    etcd.kill()
                    etcd.start()

                restarted(b'garbage')
                sample.expect('^tls_files_refused: .*client.pem', 30)
                sample.expect('^following at', 30)
                restarted(good)
                sample.expect('^tls_files_read: ', 30)
                sample.expect('^following at', 30)
                etcd.put('/tls/greeting', 'hello again')
                sample.expect('^/tls/greeting = hello again$')
                sample.stop()
            check(not any('canary' in line for line in sample.lines), 'a secret was printed')


def main():
    samples = [quickstart, control_unit, local_env, custom_schema, http_service, kv, txn, bulk, watch, lease, lock, election, cluster, tls]
    name, program = sys.argv[1:]
    run = {f.__name__: f for f in samples}[name]
    require_etcd()
    try:
        run(program)
    except AssertionError as failed:
        sys.exit(f'{name}: {failed}')


if __name__ == '__main__':
    main()
