#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/parallel.hpp"
#include "support/scratch_dir.hpp"
#include "support/test_ca.hpp"
#include "support/threads.hpp"
#include "transport/secret_file.hpp"
#include "transport/tls.hpp"
#include "transport/tls_files.hpp"
#include "transport/tls_reload.hpp"

#include <dynconf/client.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using transport::tls_context;

namespace {

tls_options with(const issued& who) {
    tls_options options;
    options.cert_file = who.certificate;
    options.key_file = who.key;
    return options;
}

/// No code: they can be used.
error made(const tls_options& options) {
    const auto context = tls_context::make(options);
    return context ? error{} : context.error();
}

constexpr const char* password = "a password of a key";

}  // namespace

TEST_CASE("tls: a client key of any type and form that OpenSSL reads", "[tls]") {
    const scratch_dir files;
    const std::string dir = files.path().string() + "/";
    test_ca ca(files.path(), "ca");
    for (const char* type : {"ec", "rsa:2048", "ed25519"}) {
        INFO(type);
        subject whom;
        whom.key = type;
        const issued who = ca.issue(whom);
        tls_options options = with(who);
        CHECK(made(options).message() == error{}.message());

        // Certificate and key in one file, in either order, and as text.
        for (const bool key_first : {false, true}) {
            const std::string both = dir + "both.pem";
            write(both, key_first ? text_of(who.key) + text_of(who.certificate) : text_of(who.certificate) + text_of(who.key));
            options = {};
            options.cert_file = both;
            CHECK(made(options) == error_code());
        }
        options = {};
        options.cert_pem = text_of(who.certificate);
        options.key_pem = text_of(who.key);
        CHECK(made(options) == error_code());

        // As DER: PKCS#8, and what was before it.
        std::vector<std::string> forms{dir + "key.der"};
        openssl({"pkcs8", "-topk8", "-nocrypt", "-in", who.key, "-outform", "DER", "-out", forms.back()});
        if (std::string(type) != "ed25519") {
            forms.push_back(dir + "old.der");
            std::vector<std::string> arguments{std::string(type) == "ec" ? "ec" : "rsa", "-in", who.key, "-outform", "DER", "-out", forms.back()};
            if (arguments[0] == "rsa") arguments.insert(arguments.begin() + 1, "-traditional");
            openssl(arguments);
        }
        for (const std::string& form : forms) {
            INFO(form);
            CHECK(made(with({who.certificate, form})).message() == error{}.message());
        }

        // Encrypted: PKCS#8 of two kinds, as PEM and DER, PKCS#12, and what OpenSSL wrote before PKCS#8.
        const std::string sealed = dir + "sealed.key", old = dir + "old.key", der = dir + "sealed.der", p12 = dir + "who.p12";
        openssl({"pkcs8", "-topk8", "-in", who.key, "-out", sealed, "-v2", "aes-256-cbc", "-passout", std::string("pass:") + password});
        openssl({"pkcs8", "-topk8", "-in", who.key, "-outform", "DER", "-out", der, "-passout", std::string("pass:") + password});
        openssl({"pkcs12", "-export", "-in", who.certificate, "-inkey", who.key, "-certfile", ca.file(), "-out", p12, "-passout",
                 std::string("pass:") + password});
        std::vector<tls_options> all;
        all.push_back(with({who.certificate, sealed}));
        all.push_back(with({who.certificate, der}));
        all.emplace_back().cert_file = p12;
        if (std::string(type) != "ed25519") {
            const std::string tool = std::string(type) == "ec" ? "ec" : "rsa";
            std::vector<std::string> arguments{tool, "-in", who.key, "-out", old, "-aes128", "-passout", std::string("pass:") + password};
            if (tool == "rsa") arguments.insert(arguments.begin() + 1, "-traditional");
            openssl(arguments);
            CHECK(text_of(old).find("Proc-Type: 4,ENCRYPTED") != std::string::npos);
            all.push_back(with({who.certificate, old}));
        }
        for (tls_options o : all) {
            INFO(o.cert_file << ' ' << o.key_file);
            const std::string& file = o.key_file.empty() ? o.cert_file : o.key_file;
            const error missing = made(o);
            CHECK(missing == errc::wrong_key_password);
            CHECK(missing.message().find(file) != std::string::npos);
            CHECK(missing.message().find("no password was given") != std::string::npos);
            o.key_password = "another password";
            const error wrong = made(o);
            CHECK(wrong == errc::wrong_key_password);
            CHECK(wrong.message().find(file) != std::string::npos);
            CHECK(wrong.message().find("another password") == std::string::npos);
            o.key_password = password;
            CHECK(made(o).message() == error{}.message());

            o.key_password = secret();
            o.key_password_env = "DYNCONF_TEST_KEY_PASSWORD";
            ::unsetenv("DYNCONF_TEST_KEY_PASSWORD");
            const error unset = made(o);
            CHECK(unset == errc::wrong_key_password);
            CHECK(unset.message().find("DYNCONF_TEST_KEY_PASSWORD is not set, or empty") != std::string::npos);
            ::setenv("DYNCONF_TEST_KEY_PASSWORD", password, 1);
            CHECK(made(o) == error_code());

            o.key_password_env.clear();
            o.key_password_file = dir + "password";
            for (const char* end : {"", "\n", "\r\n", "\nmore\n"}) {
                write(o.key_password_file, std::string(password) + end);
                CHECK(made(o) == error_code());
            }
            o.key_password_file = dir + "missing";
            const error no_file = made(o);
            CHECK(no_file == errc::unreadable_key);
            CHECK(no_file.message().find(dir + "missing") != std::string::npos);
        }
    }
    // With its parameters in front, as `openssl ecparam -genkey` writes it.
    const issued who = ca.issue(subject());
    const std::string parameters = dir + "parameters";
    openssl({"ecparam", "-name", "prime256v1", "-out", parameters});
    write(who.key, text_of(parameters) + text_of(who.key));
    CHECK(made(with(who)) == error_code());
}

TEST_CASE("tls: each file that cannot be used has its own error, which names it", "[tls]") {
    const scratch_dir files;
    const std::string dir = files.path().string() + "/";
    test_ca ca(files.path(), "ca");
    const issued one = ca.issue(subject());
    const issued other = ca.issue(subject());
    const std::string garbage = dir + "garbage", empty = dir + "empty", missing = dir + "missing", cut = dir + "cut.pem";
    write(garbage, "this is not PEM");
    write(empty, "");
    write(cut, text_of(one.certificate).substr(0, 200));
    std::filesystem::create_directory(dir + "nothing");
    write(dir + "nothing/readme", "no certificate");

    struct row {
        std::function<void(tls_options&)> change;
        errc code;
        std::string names;
    };
    const std::vector<row> rows{
        {[&](tls_options& o) { o.ca_file = missing; }, errc::unreadable_ca, missing},
        {[&](tls_options& o) { o.ca_file = garbage; }, errc::unreadable_ca, garbage},
        {[&](tls_options& o) { o.ca_file = empty; }, errc::unreadable_ca, empty},
        {[&](tls_options& o) { o.ca_file = cut; }, errc::unreadable_ca, cut},
        {[&](tls_options& o) { o.ca_file = dir; }, errc::unreadable_ca, dir},
        {[&](tls_options& o) { o.ca_directory = missing; }, errc::unreadable_ca, missing},
        {[&](tls_options& o) { o.ca_directory = dir + "nothing"; }, errc::unreadable_ca, dir + "nothing"},
        {[&](tls_options& o) { o.ca_pem = "this is not PEM"; }, errc::unreadable_ca, "ca_pem"},
        {[&](tls_options& o) { o.cert_file = missing; }, errc::unreadable_certificate, missing},
        {[&](tls_options& o) { o.cert_file = garbage; }, errc::unreadable_certificate, garbage},
        {[&](tls_options& o) { o.cert_file = cut; }, errc::unreadable_certificate, cut},
        {[&](tls_options& o) { o.cert_file = garbage, o.key_file.clear(); }, errc::unreadable_certificate, garbage},
        {[&](tls_options& o) { o.cert_file.clear(), o.cert_pem = "no PEM"; }, errc::unreadable_certificate, "cert_pem"},
        {[&](tls_options& o) { o.key_file = missing; }, errc::unreadable_key, missing},
        {[&](tls_options& o) { o.key_file = garbage; }, errc::unreadable_key, garbage},
        {[&](tls_options& o) { o.key_file = one.certificate; }, errc::unreadable_key, one.certificate},
        {[&](tls_options& o) { o.key_file.clear(); }, errc::unreadable_key, one.certificate},
        {[&](tls_options& o) { o.key_file.clear(), o.key_pem = "no PEM"; }, errc::unreadable_key, "key_pem"},
        {[&](tls_options& o) { o.key_file = other.key; }, errc::key_mismatch, other.key},
        {[&](tls_options& o) { o.cert_file = other.certificate; }, errc::key_mismatch, one.key},
    };
    for (const row& r : rows) {
        tls_options options = with(one);
        options.ca_file = ca.file();
        r.change(options);
        const error e = made(options);
        INFO(e.message());
        CHECK(e == r.code);
        CHECK(e.message().find(r.names) != std::string::npos);
        CHECK(e.message().find("PRIVATE KEY") == std::string::npos);
    }
}

TEST_CASE("tls: authorities add up, and what is skipped is not read", "[tls]") {
    const scratch_dir files;
    const std::string dir = files.path().string() + "/";
    const test_ca one(files.path(), "one"), two(files.path(), "two");
    std::filesystem::create_directory(dir + "all");
    write(dir + "all/some name", text_of(one.file()) + text_of(two.file()));
    write(dir + "all/readme", "no certificate");
    tls_options options;
    options.ca_directory = dir + "all";
    CHECK(made(options) == error_code());
    options.ca_file = one.file();
    options.ca_pem = "a comment\n" + text_of(two.file());
    options.ca_and_system = true;
    CHECK(made(options) == error_code());
    options.ca_file = dir + "missing";
    CHECK(made(options) == errc::unreadable_ca);
    options.insecure_skip_verify = true;
    CHECK(made(options) == error_code());
}

TEST_CASE("tls: what cannot work together is refused by the client's constructor", "[tls]") {
    boost::asio::io_context io;
    const auto refused = [&](const std::function<void(tls_options&)>& change) {
        client_options options;
        change(options.tls);
        try {
            client c(io.get_executor(), options);
            return std::string();
        } catch (const std::invalid_argument& e) {
            return std::string(e.what());
        }
    };
    CHECK(refused([](tls_options& o) { o.cert_file = "a", o.key_file = "b"; }).empty());   // read when needed
    CHECK(refused([](tls_options& o) { o.cert_file = "a"; }).empty());
    CHECK(refused([](tls_options& o) { o.cert_file = "a", o.cert_pem = "b"; }) == "dynconf: tls: both cert_file and cert_pem");
    CHECK(refused([](tls_options& o) { o.cert_file = "a", o.key_file = "b", o.key_pem = "c"; }) == "dynconf: tls: both key_file and key_pem");
    CHECK(refused([](tls_options& o) { o.key_file = "a"; }) == "dynconf: tls: a key without a certificate");
    CHECK(refused([](tls_options& o) { o.cert_pem = "a"; }) == "dynconf: tls: cert_pem without a key");
    CHECK(refused([](tls_options& o) { o.cert_file = "a", o.key_password = "b", o.key_password_env = "c"; }).find("more than one of") != std::string::npos);
    CHECK(refused([](tls_options& o) { o.key_password_file = "a"; }) == "dynconf: tls: a password of a key, and no key");
}

TEST_CASE("tls: files that change are read again, bad ones are reported and not used", "[tls]") {
    const scratch_dir files;
    const std::string dir = files.path().string() + "/";
    test_ca ca(files.path(), "ca");
    const issued first = ca.issue(subject()), second = ca.issue(subject());
    const std::string certificate = dir + "client.pem", key = dir + "client.key";
    std::vector<std::string> events;
    policy::event_log log([&](const log_record& r) {
        std::string line(r.event);
        for (const log_field& f : r.fields) line += " " + f.value;
        events.push_back(line);
    });
    tls_options options;
    options.ca_file = ca.file();
    options.cert_file = certificate;
    options.key_file = key;
    test::run([&]() -> asio::awaitable<void> {
        transport::tls_reload reload(co_await asio::this_coro::executor, options, log);
        const auto current = [&] { return reload.current(transport::clock::now() + 20s); };

        const auto nothing = co_await current();
        CHECK((!nothing && nothing.error() == errc::unreadable_certificate));
        place(text_of(first.certificate), certificate);
        place(text_of(first.key), key);
        const auto used = co_await current();
        REQUIRE(used);
        CHECK(events.empty());

        place(text_of(second.certificate), certificate);   // its key is still to come
        const auto half = co_await current();
        CHECK((half && *half == *used));
        REQUIRE(events.size() == 1);
        CHECK(events[0].find("tls_files_refused") == 0);
        CHECK(events[0].find(key) != std::string::npos);

        place(text_of(second.key), key);
        const auto whole = co_await current();
        CHECK((whole && *whole != *used));
        REQUIRE(events.size() == 2);
        CHECK(events[1] == "tls_files_read");

        place("garbage", certificate);
        const auto kept = co_await current();
        CHECK((kept && *kept == *whole));
        REQUIRE(events.size() == 3);
        CHECK(events[2].find(certificate) != std::string::npos);
        std::filesystem::remove(certificate);
        const auto without = co_await current();
        CHECK((without && *without == *whole));
        CHECK(events.size() == 4);
        place(text_of(second.certificate), certificate);
        const auto healed = co_await current();
        CHECK((healed && *healed != *whole));
        CHECK(events.back() == "tls_files_read");

        // In place, as editors do.
        write(ca.file(), text_of(ca.file()) + "\n");
        const auto edited = co_await current();
        CHECK((edited && *edited != *healed));

        // Many connections at once make one new context.
        write(ca.file(), text_of(ca.file()) + "\n");
        std::vector<transport::tls_reload::context> all(8);
        co_await in_parallel(8, [&](int i) -> asio::awaitable<void> {
            auto one = co_await current();
            if (one) all[std::size_t(i)] = *one;
        });
        CHECK(all[0] != *edited);
        CHECK(std::count(all.begin(), all.end(), all[0]) == 8);
    });
}

TEST_CASE("tls: a disk that hangs keeps neither the strand nor connections that have something to go on with", "[tls]") {
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    const std::string authorities = text_of(ca.file()), path = ca.file() + "-of-etcd", pipe = path + "-pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);   // whoever opens it waits for a writer
    const auto hang = [&] {
        std::filesystem::remove(path);
        std::filesystem::create_hard_link(pipe, path);
    };
    const auto answer = [&] { ::close(::open(pipe.c_str(), O_WRONLY)); };
    const std::size_t before = threads();
    const auto all_gone = [&] { return threads() == before; };
    std::vector<std::string> events;
    policy::event_log log([&](const log_record& r) { events.push_back(std::string(r.event) + ": " + r.text); });
    tls_options options;
    options.ca_file = path;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor executor = co_await asio::this_coro::executor;
        transport::tls_reload reload(executor, options, log);
        const auto current = [&](std::chrono::milliseconds within) { return reload.current(transport::clock::now() + within); };

        // Nothing to go on with: an error, in time, and threads that do not add up.
        hang();
        for (int i = 0; i < 6; ++i) {
            const auto late = co_await current(20ms);
            CHECK((!late && late.error() == errc::deadline_exceeded));
            CHECK((!late && late.error().message().find("the disk does not answer") != std::string::npos));
        }
        CHECK(threads() == before + 4);
        answer();
        co_await until(all_gone);

        place(authorities, path);
        const auto used = co_await current(20s);
        REQUIRE(used);
        hang();
        const auto kept = co_await current(20s);
        CHECK((kept && *kept == *used));
        REQUIRE(events.size() == 1);
        CHECK(events[0].find("tls_files_refused") == 0);
        CHECK(events[0].find("the disk does not answer") != std::string::npos);
        for (int i = 0; i < 5; ++i) {   // without another thread, and another word
            const auto still = co_await current(20s);
            CHECK((still && *still == *used));
        }
        CHECK(threads() == before + 1);
        CHECK(events.size() == 1);
        place(authorities, path);
        answer();
        co_await until(all_gone);
        const auto healed = co_await current(20s);
        CHECK((healed && *healed != *used));
        CHECK(events.back().find("tls_files_read") == 0);

        // Who does not want it any more does not wait for the disk.
        hang();
        transport::tls_reload another(executor, options, log);
        asio::cancellation_signal enough;
        std::optional<error> given_up;
        asio::co_spawn(executor, [&]() -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            const auto nothing = co_await another.current(transport::clock::time_point::max());
            given_up = nothing ? error() : nothing.error();
        }, asio::bind_cancellation_slot(enough.slot(), asio::detached));
        co_await until([&] { return threads() == before + 1; });
        enough.emit(asio::cancellation_type::terminal);
        co_await until([&] { return given_up.has_value(); });
        CHECK(given_up->code == asio::error::operation_aborted);
        answer();
        co_await until(all_gone);
    });
}

TEST_CASE("secret file: read as it is, bounded, and what is none is an error that names it", "[tls]") {
    const scratch_dir files;
    const std::string path = (files.path() / "file").string();
    const std::string bytes("a\0b\n", 4);
    write(path, bytes);
    for (const std::size_t most : {4u, 5u, 100'000u}) {
        const auto content = transport::read_secret_file(path, most);
        REQUIRE(content);
        CHECK(content->reveal() == bytes);
        const auto past = transport::read_secret_file("/proc/self/status", 100);   // says that its size is zero
        REQUIRE_FALSE(past);
        CHECK(past.error().code == boost::system::errc::file_too_large);
    }
    for (const std::string& none : {files.path().string(), path + "-missing", path}) {
        const auto content = transport::read_secret_file(none, 3);
        REQUIRE_FALSE(content);
        CHECK(content.error().message().find(none) != std::string::npos);
    }
    CHECK(transport::without_line_break("a\r\n") == "a");
    CHECK(transport::without_line_break("a\n\n") == "a\n");
    std::filesystem::resize_file(path, (16u << 20) + 1);
    const auto large = transport::read_file(path);
    REQUIRE_FALSE(large);
    CHECK(large.error().message().find(path) != std::string::npos);
    CHECK(transport::read_file("/proc/self/status"));   // says that its size is zero
}
