#include "options.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

namespace dynconf::tool {

namespace {

struct raw_options {
    std::optional<std::string> endpoints;
    std::string srv;
    std::string srv_name;
    bool insecure_discovery = false;
    std::optional<std::string> user;
    std::optional<std::string> password;
    std::string password_file;
    std::string ca_file;
    std::string cert_file;
    std::string key_file;
    bool insecure_skip_tls_verify = false;
    std::int64_t command_timeout_ms = 10'000;
    std::int64_t dial_timeout_ms = 3'000;
    std::optional<std::int64_t> max_staleness_ms;
    std::vector<std::string> prefixes;
    std::string key;
    std::string value;
    bool all = false;
    std::vector<std::string> sealing_keys;
};

std::optional<std::string> variable(const char* name) {
    const char* value = std::getenv(name);
    if (!value || !*value) return std::nullopt;
    return value;
}

/// `name[:password]`. A password given as a flag, even inside --user, wins over the environment's, and a file is read when the
/// password is needed.
std::optional<credentials_source> credentials_of(const raw_options& raw) {
    const std::optional<std::string> user = raw.user ? raw.user : variable("DYNCONF_USER");
    if (!user) return std::nullopt;
    const auto colon = user->find(':');
    credentials c;
    c.username = user->substr(0, colon);
    if (c.username.empty()) throw CLI::ValidationError("--user", "the name is empty");
    std::optional<std::string> inside;
    if (colon != std::string::npos) inside = user->substr(colon + 1);
    std::optional<std::string> password = raw.password;
    if (!raw.password_file.empty()) return credentials_source::file(c.username, raw.password_file);
    if (!password && raw.user) password = inside;
    if (!password) password = variable("DYNCONF_PASSWORD");
    if (!password)
        if (const auto file = variable("DYNCONF_PASSWORD_FILE")) return credentials_source::file(c.username, *file);
    if (!password) password = inside;
    if (!password)
        throw CLI::ValidationError("--user", "no password: give --password-file, or DYNCONF_PASSWORD, or name:password");
    c.password = std::move(*password);
    return c;
}

client_options client_options_of(const raw_options& raw, bool lasting) {
    client_options options;
    if (raw.endpoints) options.endpoints = {*raw.endpoints};
    else if (!raw.srv.empty()) options.endpoints.clear();
    options.discovery.srv = raw.srv;
    options.discovery.srv_name = raw.srv_name;
    options.discovery.allow_plain = raw.insecure_discovery;
    options.auth = credentials_of(raw);
    options.tls.ca_file = raw.ca_file;
    options.tls.cert_file = raw.cert_file;
    options.tls.key_file = raw.key_file;
    options.tls.insecure_skip_verify = raw.insecure_skip_tls_verify;
    if (raw.insecure_skip_tls_verify || raw.insecure_discovery)
        options.log = [](const log_record& r) {
            if (r.event == "tls_not_verified" || r.event == "srv_plain") std::cerr << "dynconf: warning: " + r.text + '\n';
        };
    if (!raw.cert_file.empty() && variable("DYNCONF_KEY_PASSWORD")) options.tls.key_password_env = "DYNCONF_KEY_PASSWORD";
    options.connect_timeout = options.tls_timeout = std::chrono::milliseconds(raw.dial_timeout_ms);
    if (lasting) {
        options.backoff.most = std::chrono::seconds(5);  // somebody is looking
        if (raw.max_staleness_ms) options.max_staleness = std::chrono::milliseconds(*raw.max_staleness_ms);
        return options;
    }
    options.total_timeout = std::chrono::milliseconds(raw.command_timeout_ms);
    options.request_timeout = std::min(options.request_timeout, options.total_timeout);
    return options;
}

/// Of `ID=FILE` each; the first is the one to write with.
key_ring ring_of(const std::vector<std::string>& keys) {
    std::optional<key_ring> ring;
    for (const std::string& each : keys) {
        const auto at = each.find('=');
        if (at == std::string::npos) throw CLI::ValidationError("--sealing-key", "needs ID=FILE");
        try {
            std::string id = each.substr(0, at);
            sealing_key key = sealing_key::from_file(each.substr(at + 1));
            if (ring) ring = ring->reading(std::move(id), std::move(key));
            else ring.emplace(std::move(id), std::move(key));
        } catch (const std::invalid_argument& e) {
            throw CLI::ValidationError("--sealing-key", e.what());
        }
    }
    return *ring;
}

std::string read_all(std::istream& in) {
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// What CLI11 says, but for surplus arguments: those may hold a mistyped password or a value, so only names are shown.
exit_code refuse(const CLI::App& app, const CLI::ParseError& e, const std::vector<std::string>& surplus) {
    std::string why = e.what();
    if (dynamic_cast<const CLI::ExtrasError*>(&e)) {
        why = "too many arguments";
        for (const std::string& argument : surplus)
            if (argument.size() > 1 && argument[0] == '-')
                why = "unknown option " + argument.substr(0, argument[1] == '-' ? argument.find('=') : 2);
    }
    std::cerr << app.get_name() << ": " << why << "\nRun with --help for more information.\n";
    return usage;
}

}  // namespace

std::variant<request, exit_code> parse_command_line(int argc, const char* const* argv) {
    request asked;
    raw_options raw;
    const auto add_duration = [](CLI::App& to, const char* name, auto& milliseconds, const char* what,
                                  std::int64_t least = 1) {
        CLI::Validator unit =
            CLI::AsNumberWithUnit(std::map<std::string, std::int64_t>{{"ms", 1}, {"s", 1'000}, {"m", 60'000}},
                CLI::AsNumberWithUnit::UNIT_REQUIRED);
        to.add_option(name, milliseconds, what)
            ->transform(unit.description(""))
            ->check(CLI::Range(least, std::int64_t{86'400'000}).description(""))
            ->type_name("DURATION");
    };

    CLI::App app("Reads, changes and follows the keys of an etcd cluster over its JSON gateway.", "dynconf");
    app.set_version_flag("--version", "dynconf " DYNCONF_VERSION);
    app.require_subcommand(1);
    app.fallthrough();  // the options of all commands may stand behind the command, too
    app.footer(
        "Keys and values that are not UTF-8 are shown as base64, and are said to be.\n"
        "Exit status: 0 done, 1 failed, 2 the command line was not understood.");
    app.add_option("--endpoints", raw.endpoints,
           "Where etcd listens: host:port, http(s)://host[:port], unix:///path; a comma-separated list; "
           "http://127.0.0.1:2379 by default")
        ->envname("DYNCONF_ENDPOINTS");
    app.add_option("--discovery-srv", raw.srv, "Where etcd listens is in the DNS SRV records of this domain")
        ->envname("DYNCONF_DISCOVERY_SRV");
    app.add_option("--discovery-srv-name", raw.srv_name, "What follows \"etcd-client-ssl-\" in the name of those records")
        ->envname("DYNCONF_DISCOVERY_SRV_NAME");
    app.add_flag("--insecure-discovery", raw.insecure_discovery,
        "Takes endpoints of plain http from those records, too, where a password or certificates are given")
        ->envname("DYNCONF_INSECURE_DISCOVERY");
    app.add_option("--user", raw.user, "name[:password] (Env:DYNCONF_USER)");
    app.add_option("--password", raw.password,
        "Better in a file or in the environment, where other users do not see it (Env:DYNCONF_PASSWORD)");
    app.add_option("--password-file", raw.password_file, "What is in it, without the last line break (Env:DYNCONF_PASSWORD_FILE)")
        ->excludes("--password");
    app.add_option("--cacert", raw.ca_file, "PEM file of the accepted authorities; without it the system's")
        ->envname("DYNCONF_CACERT");
    app.add_option("--cert", raw.cert_file, "The client certificate: PEM or PKCS#12")->envname("DYNCONF_CERT");
    app.add_option("--key", raw.key_file, "Its key, where the certificate's file does not have it; the password of an encrypted one is in DYNCONF_KEY_PASSWORD")
        ->envname("DYNCONF_KEY");
    app.add_flag("--insecure-skip-tls-verify", raw.insecure_skip_tls_verify,
        "Anybody may answer in etcd's place: its certificate is not looked at")
        ->envname("DYNCONF_INSECURE_SKIP_TLS_VERIFY");
    add_duration(app, "--command-timeout", raw.command_timeout_ms,
        "A command with all its tries, 10s by default; not for watch");
    add_duration(app, "--dial-timeout", raw.dial_timeout_ms, "Each try to connect, 3s by default");

    const auto add_json = [&asked](
                              CLI::App* command, const char* how) { command->add_flag("--json", asked.json, how); };

    CLI::App* watch = app.add_subcommand(
        "watch", "Shows the keys of prefixes, then each revision that changes them, until SIGINT or SIGTERM");
    watch->add_option("PREFIX", raw.prefixes, "What the keys begin with; \"\" is all keys")->required();
    add_json(watch, "One JSON object a line: snapshot, update (one revision), resync (history was lost), state");
    add_duration(*watch, "--max-staleness", raw.max_staleness_ms,
        "What is called live is at most this much older than etcd; 30s by default, at least 1s", 1'000);

    CLI::App* get =
        app.add_subcommand("get", "Shows a key and its value; nothing when it does not exist, as etcdctl does");
    get->add_option("KEY", raw.key)->required();
    get->add_flag("--prefix", asked.prefix, "All keys that begin with KEY");
    get->add_flag("--keys-only", asked.keys_only, "No values");
    add_json(get, "One JSON object");

    CLI::App* put = app.add_subcommand("put", "Sets a key");
    put->add_option("KEY", raw.key)->required();
    put->add_option("VALUE", raw.value, "\"-\" reads it from the standard input, to its end")->required();
    add_json(put, "One JSON object");

    CLI::App* del = app.add_subcommand("del", "Deletes a key and says how many there were");
    del->add_option("KEY", raw.key)->required();
    del->add_flag("--prefix", asked.prefix, "All keys that begin with KEY");
    del->add_flag("--all", raw.all, "Confirms an empty prefix: all keys");
    add_json(del, "One JSON object");

    CLI::App* rotate = app.add_subcommand(
        "rotate", "Brings the sealed values of a prefix under the first of the keys, while others read and write them");
    rotate->add_option("PREFIX", raw.key, "What the keys of etcd begin with")->required();
    rotate->add_option("--sealing-key", raw.sealing_keys, "ID=FILE, for each key that values are sealed with; the first is the new one")
        ->required()
        ->allow_extra_args(false);
    rotate->add_flag("--dry-run", asked.rotation.dry_run, "Counts, and writes nothing");
    rotate->add_flag("--seal-plaintext", asked.rotation.seal_plaintext, "Seals what is in the clear, too");
    rotate->add_option("--per-second", asked.rotation.per_second, "Values written in a second, at most; without it as fast as etcd takes them");
    add_json(rotate, "One JSON object");

    CLI::App* status = app.add_subcommand("status", "What each endpoint says of itself");
    add_json(status, "One JSON object a line");

    try {
        app.parse(argc, argv);
        asked.client = client_options_of(raw, watch->parsed());
        if (status->parsed() && asked.client.endpoints.empty())
            throw CLI::ValidationError("status", "shows each of --endpoints, and does not look up SRV records");
        if (rotate->parsed()) asked.ring = ring_of(raw.sealing_keys);
        if (del->parsed() && raw.key.empty() && !(asked.prefix && raw.all))
            throw CLI::ValidationError("del", "an empty key needs --prefix --all, which deletes everything");
    } catch (const CLI::Success& e) {
        return app.exit(e) == 0 ? succeeded : failed;  // --help, --version
    } catch (const CLI::ParseError& e) {
        return refuse(app, e, app.remaining(true));
    }

    if (watch->parsed()) {
        asked.what = request::command::watch;
        asked.keys = std::move(raw.prefixes);
    } else if (!status->parsed()) {
        asked.what = get->parsed() ? request::command::get
            : put->parsed()        ? request::command::put
            : rotate->parsed()     ? request::command::rotate
                                   : request::command::del;
        asked.keys.push_back(std::move(raw.key));
    }
    if (put->parsed()) asked.value = raw.value == "-" ? read_all(std::cin) : std::move(raw.value);
    return asked;
}

}  // namespace dynconf::tool
