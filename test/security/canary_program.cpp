// Does all that has to do with secrets, and says all that it is told: the work of canary.py. None of the secrets is in this
// program, in its arguments or in its environment; it reads them from files, and looks for them in its own memory at the end,
// where nothing of them may be left.
//
//     canary-program FOLDER changes|stays ENDPOINT...

#include <dynconf/dynconf.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace dynconf;

namespace {

void say(const std::string& words) { std::cout << words << std::endl; }

void log(const log_record& r) {
    std::string line = "log " + std::string(r.event) + ": " + r.text;
    for (const log_field& f : r.fields) line += " [" + std::string(f.name) + "=" + f.value + "]";
    say(line);
}

/// Without a copy that stays behind.
secret read_secret(const std::filesystem::path& path) {
    std::array<char, 4096> room{};
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t n = file < 0 ? -1 : ::read(file, room.data(), room.size());
    if (file >= 0) ::close(file);
    if (n < 0) throw std::runtime_error("cannot read " + path.native());
    secret content(std::string_view(room.data(), static_cast<std::size_t>(n)));
    volatile char* const wiped = room.data();
    for (std::size_t i = 0; i < room.size(); ++i) wiped[i] = 0;
    return content;
}

client_options options_for(std::string endpoint) {
    client_options o;
    o.endpoints = {std::move(endpoint)};
    o.log = log;
    o.backoff.first = 20ms;
    o.backoff.most = 100ms;
    o.slow_retry = 200ms;
    o.request_timeout = 3s;
    o.total_timeout = 5s;
    o.max_rounds = 1;
    return o;
}

client_options as(std::string endpoint, secret password) {
    client_options o = options_for(std::move(endpoint));
    o.auth = credentials{"svc", std::move(password)};
    return o;
}

/// Runs it and tells how it ended.
asio::awaitable<void> told(std::string name, std::function<asio::awaitable<void>()> what) {
    std::string ended = "done";
    try {
        co_await what();
    } catch (const std::exception& e) {
        ended = e.what();
    }
    say(name + ": " + ended);
}

/// A watch goes on for ever where nothing works.
asio::awaitable<void> first_of(watcher& news) {
    using namespace asio::experimental::awaitable_operators;
    auto ex = co_await asio::this_coro::executor;
    asio::steady_timer limit(ex, 1s);
    co_await (news.next(asio::use_awaitable) || limit.async_wait(asio::use_awaitable));
}

/// Every kind of call there is.
asio::awaitable<void> use(client etcd, secret another) {
    kv store(etcd);
    auth users(etcd);
    maintenance members(etcd);
    const std::string key = "/app/k", forbidden = "/elsewhere/k", value = "v";
    const key_range here = key_range::prefix("/app/"), there = key_range::prefix("/elsewhere/");
    co_await told("put", [&]() -> asio::awaitable<void> { co_await store.put(key, value); });
    co_await told("range", [&]() -> asio::awaitable<void> { co_await store.range(here); });
    co_await told("forbidden put", [&]() -> asio::awaitable<void> { co_await store.put(forbidden, value); });
    co_await told("forbidden range", [&]() -> asio::awaitable<void> { co_await store.range(there); });
    co_await told("user_add", [&]() -> asio::awaitable<void> {
        const std::string name = "new";
        co_await users.user_add(name, another);
    });
    co_await told("user_change_password", [&]() -> asio::awaitable<void> {
        const std::string name = "root";
        co_await users.user_change_password(name, another);
    });
    co_await told("status", [&]() -> asio::awaitable<void> { co_await members.status_of_each(); });
    co_await told("health", [&]() -> asio::awaitable<void> { co_await members.health_of_each(); });
    co_await told("probe", [&]() -> asio::awaitable<void> {
        const capability_report report = co_await members.probe();
        say(report.text());
    });
    co_await told("watch", [&]() -> asio::awaitable<void> {
        watch_options from;
        from.start_revision = 1;
        watcher news(etcd, here, from);
        co_await first_of(news);
    });
    co_await told("forbidden watch", [&]() -> asio::awaitable<void> {
        watcher news(etcd, there);
        co_await first_of(news);
    });
    co_await told("snapshot", [&]() -> asio::awaitable<void> { co_await members.snapshot("snapshot.db"); });
}

struct app_config {
    std::string name;
    secret password;
    int port = 0;
};

std::shared_ptr<const schema> app_schema() {
    auto s = std::make_shared<declared_schema<app_config>>("/app");
    s->optional("name", &app_config::name, {.etcd = "Name"}, "none")
        .optional("password", &app_config::password, {.etcd = "Password"}, secret())
        .optional("port", &app_config::port, {.etcd = "Port", .secret = true}, 80);   // its value is a secret that is no number
    return s;
}

void tell(const rejection& r) { say("rejected " + r.name + " at " + r.key + ": " + r.reason.message()); }

asio::awaitable<void> manage(std::string endpoint, credentials_source from, bool changes) {
    manager_options how;
    how.client = options_for("http://127.0.0.1:1");
    how.client.auth = std::move(from);
    how.log = log;
    how.cache.path = "cache";
    how.start_timeout = 5s;
    settings where;
    where.endpoints = std::vector<std::string>(1, std::move(endpoint));
    auto ex = co_await asio::this_coro::executor;
    config_manager cfg(ex, app_schema(), where, how);
    auto refused = cfg.subscribe_rejections(tell);
    auto states = cfg.subscribe_status([](const status& s) { say("state " + std::string(to_string(s.state)) + ": " + s.cause.message()); });
    const start_report report = co_await cfg.start();
    say("started: " + report.cause.message());
    for (const rejection& r : report.rejected) tell(r);
    say(cfg.current().to_json_text());
    if (changes) {
        say("@change");   // password, settings and tokens
        std::string line;
        std::getline(std::cin, line);
        while (cfg.current().get_or("name", std::string()) != "changed") {
            const revision_t seen = cfg.current().revision();
            co_await cfg.changed_since(seen);
        }
        say(cfg.current().to_json_text());
        const auto password = cfg.current().get<secret>("password");
        const auto number = cfg.current().get<int>("password");
        say("the password has " + std::to_string(password.value().size()) + " bytes; as a number: " + number.error().message());
    }
    co_await cfg.stop();
}

/// Keys of TLS and their passwords, where they are good and where they are not.
asio::awaitable<void> tls(std::filesystem::path folder, std::string endpoint) {
    auto ex = co_await asio::this_coro::executor;
    const auto in = [&folder](const char* name) { return (folder / name).native(); };
    using change = std::function<void(tls_options&)>;
    const std::vector<change> ways = {
        [&](tls_options& o) { o.key_file = in("tls-key"); },
        [&](tls_options& o) { o.key_pem = read_secret(folder / "tls-key"); },
        [&](tls_options& o) { o.key_file = in("tls-key-encrypted"), o.key_password = read_secret(folder / "tls-password"); },
        [&](tls_options& o) { o.key_file = in("tls-key-encrypted"), o.key_password_file = in("tls-password"); },
        [&](tls_options& o) { o.key_file = in("tls-key-encrypted"), o.key_password = read_secret(folder / "another"); },
        [&](tls_options& o) { o.key_file = in("tls-key-encrypted"), o.key_password_file = in("tls-key"); },
        [&](tls_options& o) { o.key_file = in("tls-key-encrypted"); },
        [&](tls_options& o) { o.key_file = in("tls-other-key"); },
        [&](tls_options& o) { o.key_file = in("tls-password"); },
        [&](tls_options& o) { o.cert_file = in("tls-key"); },
        [&](tls_options& o) { o.cert_file = o.key_file = in("passphrase"); },
        [&](tls_options& o) { o.ca_file = in("tls-key"); },
        [&](tls_options& o) { o.ca_file.clear(), o.ca_directory = folder.native(), o.key_file = in("tls-key"); },
    };
    for (const change& make : ways) {
        client_options how = as(endpoint, read_secret(folder / "password"));
        how.tls.ca_file = how.tls.cert_file = in("tls-certificate");
        make(how.tls);
        co_await told("tls", [&]() -> asio::awaitable<void> {
            client etcd(ex, how);
            kv store(etcd);
            const key_range here = key_range::prefix("/app/");
            co_await store.range(here);
        });
    }
}

/// Keys of values, and words that make one.
asio::awaitable<void> seal(std::filesystem::path folder, std::string endpoint) {
    auto ex = co_await asio::this_coro::executor;
    client_options how = as(endpoint, read_secret(folder / "password"));
    const client etcd(ex, how);
    const sealing_key one = sealing_key::from_file((folder / "ring-one").native()), two = sealing_key::from_file((folder / "ring-two").native());
    const key_ring old("one", one), both = old.writing("two", two);
    const std::string key = "/app/sealed", value = "plain";
    const key_range here = key_range::key(key), all = key_range::prefix("/app/");
    kv before(etcd.sealed(old)), after(etcd.sealed(both)), stranger(etcd.sealed(key_ring("two", two)));
    co_await told("sealed put", [&]() -> asio::awaitable<void> { co_await before.put(key, value); });
    co_await told("rotation", [&]() -> asio::awaitable<void> {
        rotation turning(etcd, both);
        const rotation_report done = co_await turning.run(all);
        say("rotated " + std::to_string(done.rewritten));
        for (const rotation_problem& p : done.problems) say(p.key + ": " + p.why.message());
    });
    co_await told("sealed put", [&]() -> asio::awaitable<void> { co_await before.put(key, value); });
    for (kv* store : {&after, &stranger})
        co_await told("sealed range", [&]() -> asio::awaitable<void> {
            const range_response found = co_await store->range(here);
            say("sealed: " + found.kvs.at(0).value + found.kvs.at(0).unreadable.message());
        });
    for (const char* which : {"passphrase", "another"})
        co_await told("passphrase", [&]() -> asio::awaitable<void> {
            const passphrase words(etcd, "/app/words", read_secret(folder / which));
            const secret made = co_await words.key();
            const key_ring ring("words", sealing_key(made));
            say("made a key of words: " + std::to_string(ring.seal(key, value).size()));
        });
    for (const char* none : {"passphrase", "tls-key", "password"}) {
        const secret text = read_secret(folder / none);
        using maker = std::function<sealing_key()>;
        for (const maker& make : std::vector<maker>{[&] { return sealing_key::from_file((folder / none).native()); }, [&] { return sealing_key::from_hex(text); },
                                                    [&] { return sealing_key::from_base64(text); }, [&] { return sealing_key(text); }}) {
            try {
                (void)make();
                say("a key: " + std::string(none));
            } catch (const std::exception& e) {
                say(std::string("no key: ") + e.what());
            }
        }
    }
}

asio::awaitable<void> all(std::filesystem::path folder, std::vector<std::string> endpoints, bool changes) {
    auto ex = co_await asio::this_coro::executor;
    for (const std::string& endpoint : endpoints) {
        for (const char* which : {"wrong", "password"}) {
            say("--- " + endpoint + " with " + which);
            client etcd(ex, as(endpoint, read_secret(folder / which)));
            co_await use(etcd, read_secret(folder / "another"));
        }
    }
    if (changes) {
        co_await tls(folder, std::string(read_secret(folder / "https").reveal()));
        co_await seal(folder, endpoints[0]);
    }
    const std::filesystem::path file = folder / "password";
    co_await told("manager, file", [&] { return manage(endpoints[0], credentials_source::file("svc", file), changes); });
    auto given = [file]() -> asio::awaitable<credentials> {
        credentials c;
        c.username = "svc";
        c.password = read_secret(file);
        co_return c;
    };
    co_await told("manager, provider", [&] { return manage(endpoints[0], credentials_source::provider(given), false); });
    for (std::size_t i = 1; i < endpoints.size(); ++i)
        co_await told("manager, echo", [&] { return manage(endpoints[i], credentials_source::file("svc", file), false); });
}

/// What never gets as far as a connection.
void refused_at_once(const std::filesystem::path& folder) {
    asio::io_context io;
    const std::string word(read_secret(folder / "url").reveal());   // of its own: this program leaves it in memory
    const std::vector<std::string> urls = {"http://svc:" + word + "@127.0.0.1:1", "svc:" + word + "@host", "https://svc:" + word + "@[::1",
        "ftp://" + word + "@h", "http://h,http://u:" + word + "@h", "http://u:x," + word + "@h", "http://u:" + word + ",x@h"};
    for (const std::string& url : urls) {
        for (const bool listed : {true, false}) {
            try {
                settings from;
                const environment_lookup look_up = [&](const std::string& name) -> std::optional<std::string> {
                    return name == "EtcdSettings__HostName" ? std::optional<std::string>(url) : std::nullopt;
                };
                if (listed) from = settings::from_environment(look_up);
                else from.endpoints = std::vector<std::string>(1, url);
                config_manager cfg(io.get_executor(), app_schema(), from);
            } catch (const std::exception& e) {
                say(std::string("endpoint: ") + e.what());
            }
        }
        client_options o;
        o.discovery.srv = url;
        try {
            client etcd(io.get_executor(), o);
        } catch (const std::exception& e) {
            say(std::string("srv: ") + e.what());
        }
    }
}

/// Written inverted into the file, so that looking for them does not put them into memory.
std::vector<std::string> needles(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) {
        std::string needle;
        for (std::size_t i = 0; i + 1 < line.size(); i += 2) needle += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
        all.push_back(needle);
    }
    return all;
}

/// How often it is in this process's memory. Not to be looked at by a sanitizer: it reads what was freed.
__attribute__((no_sanitize("address", "thread"), noinline)) std::size_t count(const std::string& inverted, std::string& where) {
    std::size_t hits = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long begin = 0, end = 0;
        std::array<char, 5> rights{};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights.data()) != 3) continue;
        if (rights[0] != 'r' || rights[1] != 'w' || line.find("[v") != std::string::npos) continue;
        const char* const first = reinterpret_cast<const char*>(begin);
        const char* const last = reinterpret_cast<const char*>(end) - inverted.size();
        const int start = static_cast<unsigned char>(~inverted[0]);
        for (const char* p = first; p < last; ++p) {
            p = static_cast<const char*>(std::memchr(p, start, static_cast<std::size_t>(last - p)));
            if (!p) break;
            std::size_t same = 1;
            while (same < inverted.size() && static_cast<char>(~inverted[same]) == p[same]) ++same;
            if (same != inverted.size()) continue;
            ++hits;
            // What stands around it tells whose it was.
            where += line.substr(line.find_last_of(' ') + 1) + ": ";
            for (const char* c = p - std::min<std::ptrdiff_t>(48, p - first); c < p; ++c) where += *c >= ' ' && *c < 0x7f ? *c : '.';
            where += "| ";
        }
    }
    return hits;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 4) return 2;
    const std::filesystem::path folder = argv[1];
    const bool changes = std::string_view(argv[2]) == "changes";
    std::vector<std::string> endpoints(argv + 3, argv + argc);
    refused_at_once(folder);
    {
        asio::io_context io;
        asio::co_spawn(io, all(folder, endpoints, changes), [](const std::exception_ptr& thrown) {
            if (thrown) std::rethrow_exception(thrown);
        });
        io.run();
    }
    say("@scan");
    std::string line;
    std::getline(std::cin, line);
    for (const std::string& needle : needles(folder / "needles")) {
        std::string where;
        const std::size_t hits = count(needle, where);
        say("@hits " + std::to_string(hits) + " " + where);
    }
    return 0;
} catch (const std::exception& e) {
    std::cerr << "canary-program: " << e.what() << '\n';
    return 1;
}
