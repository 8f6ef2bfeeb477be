#include "integration/tls_scene.hpp"

#include "support/child_process.hpp"

#include <dynconf/key_ring.hpp>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <csignal>

#include <filesystem>
#include <fstream>

using namespace dynconf::test;
using nlohmann::json;

namespace {

/// The program under test, without what the surroundings may have set for it.
program_output invoke(std::vector<std::string> arguments, std::string_view input = {}, const strings& variables = {}) {
    arguments.insert(arguments.begin(), DYNCONF_TOOL);
    strings environment = environment_without("DYNCONF_");
    environment.insert(environment.end(), variables.begin(), variables.end());
    return run_program(arguments, input, environment);
}

}  // namespace

TEST_CASE("dynconf: put, get and del", "[tool]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    const auto run = [&](std::vector<std::string> arguments, std::string_view input = {}) {
        return invoke(std::move(arguments), input, {"DYNCONF_ENDPOINTS=" + etcd.endpoint()});
    };
    CHECK(run({"put", "a/1", "one"}).out == "OK\n");
    CHECK(json::parse(run({"put", "a/2", "-", "--json"}, "two\nlines").out) == json{{"revision", 3}});
    CHECK(other.read("a/").at("a/2").value == "two\nlines");
    CHECK(run({"get", "a/1"}).out == "a/1\none\n");
    CHECK(run({"get", "a/", "--prefix"}).out == "a/1\none\na/2\ntwo\nlines\n");
    CHECK(run({"get", "--prefix", "a/", "--keys-only"}).out == "a/1\na/2\n");
    const json one{{"key", "a/1"}, {"value", "one"}, {"create_revision", 2}, {"mod_revision", 2}, {"version", 1}};
    CHECK(json::parse(run({"get", "a/1", "--json"}).out)
        == json{{"revision", 3}, {"count", 1}, {"kvs", json::array({one})}});

    const program_output missing = run({"get", "nowhere"});
    CHECK(missing.out.empty());
    CHECK(missing.status == 0);
    CHECK(json::parse(run({"get", "nowhere", "--json"}).out)
        == json{{"revision", 3}, {"count", 0}, {"kvs", json::array()}});

    // Words that mean something to the program are keys and values like others.
    CHECK(run({"put", "watch", "--", "--help"}).status == 0);
    CHECK(run({"get", "watch"}).out == "watch\n--help\n");

    CHECK(run({"del", "nowhere"}).out == "0\n");
    CHECK(run({"del", "a/1"}).out == "1\n");
    CHECK(json::parse(run({"del", "a/", "--prefix", "--json"}).out) == json{{"revision", 6}, {"deleted", 1}});
    CHECK(run({"del", "", "--prefix"}).status == 2);
    CHECK(other.read("").size() == 1);
    CHECK(run({"del", "", "--prefix", "--all"}).out == "1\n");
    CHECK(other.read("").empty());

    const json status = json::parse(run({"status", "--json"}).out);
    CHECK(status.at("version") == binary.version);
    CHECK(status.at("endpoint") == etcd.endpoint());
    CHECK(run({"status"}).out.find(binary.version) != std::string::npos);
}

TEST_CASE("dynconf: what is not UTF-8 is shown as base64, which is said", "[tool]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    const std::string bytes("\x00\xFF\xFE", 3);
    other.put("bin/\xC0\x80", bytes);  // an overlong zero: no UTF-8 either
    other.put("bin/text", "\xC3\xA4\xF0\x9F\x98\x80");
    const auto run = [&](std::vector<std::string> arguments, std::string_view input = {}) {
        return invoke(std::move(arguments), input, {"DYNCONF_ENDPOINTS=" + etcd.endpoint()});
    };
    const json kvs = json::parse(run({"get", "bin/", "--prefix", "--json"}).out).at("kvs");
    REQUIRE(kvs.size() == 2);
    CHECK(kvs[0].at("key") == "bin/text");
    CHECK(kvs[0].at("value") == "\xC3\xA4\xF0\x9F\x98\x80");
    CHECK(kvs[1].at("key_base64") == "YmluL8CA");
    CHECK(kvs[1].at("value_base64") == "AP/+");
    CHECK_FALSE(kvs[1].contains("key"));
    CHECK_FALSE(kvs[1].contains("value"));
    CHECK(run({"get", "bin/\xC0\x80"}).out == "base64:YmluL8CA\nbase64:AP/+\n");
    CHECK(run({"put", "bin/in", "-"}, bytes).status == 0);
    CHECK(other.read("bin/in").at("bin/in").value == bytes);
}

TEST_CASE("dynconf: endpoints from a domain's records, or words that name it", "[tool][srv]") {
    // Whatever the name servers of this machine say, or do not: this domain never exists.
    const program_output none = invoke({"get", "k", "--discovery-srv", "nowhere.invalid", "--dial-timeout", "2s"});
    CHECK(none.status == 1);
    INFO(none.err);
    CHECK(none.err.find("dynconf: range: SRV records of 'nowhere.invalid': ") == 0);
    const strings environment{"DYNCONF_DISCOVERY_SRV=nowhere.invalid", "DYNCONF_DISCOVERY_SRV_NAME=blue"};
    CHECK(invoke({"get", "k", "--dial-timeout", "2s"}, {}, environment).err.find("'nowhere.invalid'") != std::string::npos);
    CHECK(invoke({"get", "k", "--discovery-srv", "no where"}).status == 2);
    CHECK(invoke({"get", "k", "--discovery-srv-name", "blue"}).status == 2);
    CHECK(invoke({"status", "--discovery-srv", "nowhere.invalid"}).status == 2);
}

TEST_CASE("dynconf: exit status and words of a failure, never a secret", "[tool]") {
    REQUIRE_ETCD();
    const program_output refused = invoke({"get", "k", "--endpoints", "127.0.0.1:1", "--command-timeout", "2s"});
    CHECK(refused.status == 1);
    CHECK(refused.out.empty());
    CHECK(refused.err == "dynconf: range at http://127.0.0.1:1: connect: Connection refused\n");

    const program_output nonsense = invoke({"get", "k", "--endpoints", "http://root:geheim@host"});
    CHECK(nonsense.status == 2);
    CHECK(nonsense.err.find("not an endpoint") != std::string::npos);
    CHECK(nonsense.err.find("geheim") == std::string::npos);

    for (const strings& arguments : {strings{}, {"get"}, {"frobnicate"}, {"put", "k"},
             {"get", "k", "--command-timeout", "5"}, {"watch", "k", "--max-staleness", "900ms"},
             {"get", "k", "--pasword=geheim"}, {"put", "k", "-geheim"},
             {"put", "k", "v", "geheim"}, {"watch"}, {"get", "k", "--user", "svc"}}) {
        const program_output wrong = invoke(arguments);
        INFO(wrong.err);
        CHECK(wrong.status == 2);
        CHECK(wrong.out.empty());
        CHECK_FALSE(wrong.err.empty());
        CHECK(wrong.err.find("geheim") == std::string::npos);
    }
    CHECK(invoke({"--version"}).out.starts_with("dynconf "));
    CHECK(invoke({"--help"}).status == 0);
    CHECK(invoke({"--help"}).out.find("DYNCONF_ENDPOINTS") != std::string::npos);
    CHECK(invoke({"watch", "--help"}).out.find("PREFIX") != std::string::npos);
}

TEST_CASE("dynconf: users, and flags that win over variables", "[tool]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.add_user("svc", "se:cret");
    admin.enable_auth();
    admin.add_role("app");
    admin.grant("app", "app/", "READWRITE");
    admin.grant_role("svc", "app");
    const strings good{"DYNCONF_ENDPOINTS=" + etcd.endpoint(), "DYNCONF_USER=svc", "DYNCONF_PASSWORD=se:cret"};
    const strings bad{"DYNCONF_ENDPOINTS=127.0.0.1:1", "DYNCONF_USER=svc", "DYNCONF_PASSWORD=wrong"};
    CHECK(invoke({"put", "app/k", "v"}, {}, good).status == 0);
    CHECK(invoke({"get", "app/k", "--endpoints", etcd.endpoint(), "--user", "svc:se:cret"}).out == "app/k\nv\n");
    CHECK(
        invoke({"--endpoints", etcd.endpoint(), "--user", "svc:se:cret", "get", "app/k"}, {}, bad).out == "app/k\nv\n");
    CHECK(
        invoke({"--endpoints", etcd.endpoint(), "--password", "se:cret", "get", "app/k"}, {}, bad).out == "app/k\nv\n");
    const program_output denied = invoke({"get", "other"}, {}, good);
    CHECK(denied.status == 1);
    CHECK(denied.err.find("permission denied") != std::string::npos);
    const program_output wrong = invoke({"get", "app/k", "--endpoints", etcd.endpoint()}, {}, bad);
    CHECK(wrong.status == 1);
    CHECK(wrong.err.find("authentication failed") != std::string::npos);
    CHECK(wrong.err.find("wrong") == std::string::npos);

    const scratch_dir files;
    const std::string file = (files.path() / "password").string(), none = (files.path() / "none").string();
    std::ofstream(file) << "se:cret\n";
    const auto read = [&](strings arguments, const strings& variables) {
        arguments.insert(arguments.end(), {"--endpoints", etcd.endpoint(), "get", "app/k"});
        return invoke(arguments, {}, variables);
    };
    CHECK(read({"--user", "svc", "--password-file", file}, {}).out == "app/k\nv\n");
    CHECK(read({"--password-file", file}, bad).out == "app/k\nv\n");
    CHECK(read({}, {"DYNCONF_USER=svc", "DYNCONF_PASSWORD_FILE=" + file}).out == "app/k\nv\n");
    CHECK(read({"--user", "svc:se:cret"}, {"DYNCONF_PASSWORD_FILE=" + none}).out == "app/k\nv\n");
    const program_output missing = read({"--user", "svc", "--password-file", none}, {});
    CHECK(missing.status == 1);
    CHECK(missing.err.find(none) != std::string::npos);
    CHECK(read({"--user", "svc", "--password-file", file, "--password", "se:cret"}, {}).status == 2);
    for (const strings& shown : {strings{"--password", "se:cret", "--help"}, strings{"--user", "svc:se:cret", "--password", "se:cret"}}) {
        const program_output said = invoke(shown, {}, good);
        CHECK((said.out + said.err).find("se:cret") == std::string::npos);
    }
}

TEST_CASE("dynconf: https with an authority of one's own", "[tool]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_process etcd(binary, with_certificate(ca.issue("IP:127.0.0.1")));
    CHECK(invoke({"--endpoints", etcd.endpoint(), "--cacert", ca.file(), "put", "k", "v"}).out == "OK\n");
    CHECK(invoke({"get", "k"}, {}, {"DYNCONF_ENDPOINTS=" + etcd.endpoint(), "DYNCONF_CACERT=" + ca.file()}).out
        == "k\nv\n");
    const program_output refused = invoke({"--endpoints", etcd.endpoint(), "get", "k"});
    CHECK(refused.status == 1);
    CHECK(refused.err.find("was not accepted") != std::string::npos);
}

TEST_CASE("dynconf: a client certificate, and no verification where that is asked for", "[tool]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_process etcd(binary, with_certificate(ca.issue("DNS:elsewhere.example"), &ca));
    const issued mine = ca.issue(subject());
    const std::string sealed = (files.path() / "sealed.key").string();
    openssl({"pkcs8", "-topk8", "-in", mine.key, "-out", sealed, "-passout", "pass:canary"});
    const std::vector<std::string> base{"--endpoints", etcd.endpoint(), "--cacert", ca.file()};
    const auto with = [&](std::vector<std::string> more, std::vector<std::string> environment = {}) {
        more.insert(more.begin(), base.begin(), base.end());
        more.insert(more.end(), {"put", "k", "v"});
        return invoke(more, {}, environment);
    };
    const program_output refused = with({"--cert", mine.certificate, "--key", mine.key});
    CHECK(refused.status == 1);
    CHECK(refused.err.find("the server's certificate is for another host") != std::string::npos);
    const program_output skipped = with({"--cert", mine.certificate, "--key", mine.key, "--insecure-skip-tls-verify"});
    CHECK(skipped.out == "OK\n");
    CHECK(skipped.err.find("dynconf: warning: anybody may answer in place of " + etcd.endpoint()) == 0);
    const program_output nobody = with({"--insecure-skip-tls-verify"});
    CHECK(nobody.status == 1);
    CHECK(nobody.err.find("the server requires a client certificate") != std::string::npos);
    const std::vector<std::string> environment{"DYNCONF_CERT=" + mine.certificate, "DYNCONF_KEY=" + sealed, "DYNCONF_INSECURE_SKIP_TLS_VERIFY=true"};
    const program_output locked = with({}, environment);
    CHECK(locked.status == 1);
    CHECK(locked.err.find(sealed + "': no password was given") != std::string::npos);
    std::vector<std::string> opened = environment;
    opened.push_back("DYNCONF_KEY_PASSWORD=canary");
    CHECK(with({}, opened).out == "OK\n");
    opened.back() = "DYNCONF_KEY_PASSWORD=wrong";
    const program_output wrong = with({}, opened);
    CHECK(wrong.status == 1);
    CHECK(wrong.err.find("and not with the given password") != std::string::npos);
    const program_output half = with({"--key", mine.key});
    CHECK(half.status == 2);
    CHECK(half.err.find("a key without a certificate") != std::string::npos);
}

TEST_CASE("dynconf watch: ends cleanly by signal and when nobody reads any more", "[tool]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    const std::string big(1 << 20, 'x');
    for (int i = 0; i < 4; ++i) other.put("big/" + std::to_string(i), big);
    struct {
        const char* prefix;
        bool reads;
        int signal;
    } const cases[] = {{"none/", true, SIGINT}, {"none/", true, SIGTERM}, {"none/", true, 0}, {"big/", false, SIGTERM},
        {"big/", false, 0}};
    for (const auto& how : cases) {
        INFO(how.prefix << ' ' << how.reads << ' ' << how.signal);
        int pipe_ends[2];
        REQUIRE(::pipe2(pipe_ends, O_CLOEXEC) == 0);
        child_process watch({DYNCONF_TOOL, "watch", how.prefix, "--json", "--endpoints", etcd.endpoint()},
            {-1, pipe_ends[1], 2}, environment_without("DYNCONF_"));
        ::close(pipe_ends[1]);
        std::string text;
        // Until it is live; or, where nobody reads on, until it stands in the middle of a line.
        while (text.find(how.reads ? "\"live\"" : "\"snapshot\"") == std::string::npos) {
            char piece[512];
            const auto n = ::read(pipe_ends[0], piece, sizeof piece);
            if (n <= 0) break;
            text.append(piece, static_cast<std::size_t>(n));
        }
        CHECK(text.starts_with("{\"type\":\"state\",\"state\":\"starting\"}\n"));
        CHECK(watch.running());
        if (how.signal != 0) watch.signal(how.signal);
        else ::close(pipe_ends[0]);
        CHECK(watch.wait(std::chrono::seconds(10)) == 0);
        if (how.signal != 0) ::close(pipe_ends[0]);
    }
}

TEST_CASE("dynconf: rotate", "[tool]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    const scratch_dir dir;
    const auto key_file = [&dir](const char* name, const dynconf::sealing_key& key) {
        const std::filesystem::path path = dir.path() / name;
        std::ofstream(path) << key.to_base64().reveal() << '\n';
        return path.string();
    };
    const auto old_key = dynconf::sealing_key::generate(), new_key = dynconf::sealing_key::generate();
    const dynconf::key_ring old_ring("old", old_key), new_ring("new", new_key);
    const std::string old_file = "old=" + key_file("old", old_key), new_file = "new=" + key_file("new", new_key);
    for (const char* key : {"r/1", "r/2", "r/3"}) other.put(key, old_ring.seal(key, "text"));
    other.put("r/clear", "text");
    const auto run = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "rotate");
        return invoke(std::move(arguments), {}, {"DYNCONF_ENDPOINTS=" + etcd.endpoint()});
    };
    const auto revision = other.revision();
    program_output r = run({"r/", "--sealing-key", new_file, "--sealing-key", old_file, "--dry-run", "--json"});
    CHECK(r.status == 0);
    json told = json::parse(r.out);
    CHECK(told["complete"] == false);
    CHECK(told["to_rewrite"] == 3);
    CHECK(told["sealed"] == json{{"old", 3}});
    CHECK(told["plaintext"] == 1);
    CHECK(other.revision() == revision);

    r = run({"r/", "--sealing-key", new_file});
    CHECK(r.status == 1);
    CHECK(r.out.find("3 unresolved, not complete\n") != std::string::npos);
    CHECK(r.out.find("\"r/1\": ") != std::string::npos);

    r = run({"r/", "--sealing-key", new_file, "--sealing-key", old_file, "--seal-plaintext"});
    CHECK(r.status == 0);
    CHECK(r.out.find("4 to rewrite, 4 rewritten, 0 unresolved, complete\n") != std::string::npos);
    for (const auto& [key, item] : other.read("r/")) CHECK(new_ring.open(key, item.value).value() == "text");

    CHECK(run({"r/"}).status == 2);
    CHECK(run({"r/", "--sealing-key", "new"}).status == 2);
    CHECK(run({"r/", "--sealing-key", "new=/nowhere"}).status == 2);
}
