#!/usr/bin/env python3
"""Sums up a test run: count_tests.py TESTLOG_JSON CASES_TSV

TESTLOG_JSON is Meson's: one line a test program. CASES_TSV is written by the programs that report each of their cases
(test/support/report_listener.cpp). A program in the second counts by its cases, any other as one test.
Prints failures, skips with their reasons, the ten slowest, and last the line "N passed, N failed[, N skipped]".
"""

import json
import os
import sys


class Case:
    def __init__(self, state, name, reason='', seconds=0.0):
        self.state, self.name, self.reason, self.seconds = state, name, reason, seconds


def read_cases(path):
    """The cases of each program, by the program's name."""
    programs = {}
    open_cases = {}
    if not os.path.exists(path):
        return programs
    with open(path, errors='replace') as lines:
        for line in lines:
            fields = line.rstrip('\n').split('\t')
            if len(fields) != 6:
                continue
            state, name, reason, program, pid, seconds = fields
            cases = programs.setdefault(program, [])
            if state == 'started':
                open_cases[program, pid] = name
            else:
                open_cases.pop((program, pid), None)
                cases.append(Case(state, f'{program}: {name}', reason, float(seconds)))
    for (program, _), name in open_cases.items():
        programs[program].append(Case('failed', f'{program}: {name}', 'the program ended in the middle of it'))
    return programs


def read_log(path):
    if not os.path.exists(path):
        return []
    with open(path, errors='replace') as lines:
        return [json.loads(line) for line in lines if line.strip()]


def last_line(text):
    lines = [line.strip() for line in (text or '').splitlines() if line.strip()]
    return lines[-1] if lines else ''


def judge(test):
    """One Meson test that does not report cases."""
    name = test['name'].split(' / ', 1)[-1]
    result = test['result']
    if result in ('OK', 'EXPECTEDFAIL'):
        return Case('passed', name, '', test['duration'])
    if result == 'SKIP':
        return Case('skipped', name, last_line(test.get('stdout')) or 'no reason given', test['duration'])
    why = 'took longer than its limit' if result == 'TIMEOUT' else f'{result.lower()}, status {test.get("returncode")}'
    return Case('failed', name, why, test['duration'])


def collect(log, programs):
    cases = [case for reported in programs.values() for case in reported]
    for test in log:
        program = next((os.path.basename(word) for word in test['command'] if os.path.basename(word) in programs), None)
        if program is None:
            cases.append(judge(test))
            continue
        # A program can fail though its cases passed: a sanitizer at its exit, a limit, a crash between two cases.
        verdict = judge(test)
        failures = [c for c in programs[program] if c.state == 'failed']
        if verdict.state == 'failed' and not failures:
            verdict.reason += ', though none of its cases failed'
            cases.append(verdict)
        elif verdict.state == 'failed' and test.get('returncode', 0) < 0:
            failures[-1].reason += f' [then the program died: {verdict.reason}; its other cases did not run]'
    return cases


def main():
    cases = collect(read_log(sys.argv[1]), read_cases(sys.argv[2]))
    by_state = {state: [c for c in cases if c.state == state] for state in ('passed', 'failed', 'skipped')}

    print('\nslowest:')
    for case in sorted(cases, key=lambda c: c.seconds, reverse=True)[:10]:
        print(f'  {case.seconds:8.2f} s  {case.name}')
    for state in ('skipped', 'failed'):
        if by_state[state]:
            print(f'\n{state}:')
        for case in by_state[state]:
            print(f'  {case.name}: {case.reason}')
    if not cases:
        by_state['failed'].append(None)
        print('\nno test ran')

    summary = f'{len(by_state["passed"])} passed, {len(by_state["failed"])} failed'
    if by_state['skipped']:
        summary += f', {len(by_state["skipped"])} skipped'
    print(f'\n{summary}')
    return 1 if by_state['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
