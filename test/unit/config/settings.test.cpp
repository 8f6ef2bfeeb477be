#include "support/catch.hpp"

#include <dynconf/config/environment.hpp>
#include <dynconf/config/settings.hpp>

#include <cstdlib>
#include <map>

using namespace dynconf;

namespace {

environment_lookup of(std::map<std::string, std::string> variables) {
    return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
        const auto at = variables.find(name);
        if (at == variables.end()) return std::nullopt;
        return at->second;
    };
}

const std::map<std::string, std::string> full{
    {"EtcdSettings__HostName", "https://h1:1234, h2"}, {"EtcdSettings__UserName", "svc"},
    {"EtcdSettings__Password", "canary"},              {"EtcdSettings__RootKey", "/root"},
    {"EtcdSettings__CaCertPath", "/ca.pem"},           {"EtcdSettings__Dev", "True"},
    {"EtcdSettings__CertPath", "/cert.pem"},           {"EtcdSettings__KeyPath", "/cert.key"},
    {"EtcdSettings__KeyPassword", "another canary"},   {"USE_LOCAL_CONFIG", "TRUE"}};

template <class T> concept printable = requires(std::ostream& out, const T& t) { out << t; };
static_assert(!printable<settings>, "the password must not be printable");

}  // namespace

TEST_CASE("settings come from their variables", "[settings]") {
    const auto s = settings::from_environment(of(full));
    CHECK(s.endpoints == std::vector<std::string>{"https://h1:1234", "http://h2:2379"});
    CHECK(s.username == "svc");
    CHECK(s.password == "canary");
    CHECK(s.root_key == "/root");
    CHECK(s.ca_cert_path == "/ca.pem");
    CHECK(s.cert_path == "/cert.pem");
    CHECK(s.key_path == "/cert.key");
    CHECK(s.key_password.value().reveal() == "another canary");
    CHECK(s.dev == true);
    CHECK(s.use_local_config == true);
}

TEST_CASE("what is not in the environment is not set", "[settings]") {
    for (const auto& nothing : {of({}), of({{"EtcdSettings__HostName", ""}, {"EtcdSettings__UserName", ""},
                                            {"EtcdSettings__Password", ""}, {"EtcdSettings__RootKey", ""},
                                            {"EtcdSettings__CaCertPath", ""}, {"EtcdSettings__Dev", ""},
                                            {"EtcdSettings__CertPath", ""}, {"EtcdSettings__KeyPath", ""},
                                            {"EtcdSettings__KeyPassword", ""},
                                            {"USE_LOCAL_CONFIG", ""}})}) {
        const auto s = settings::from_environment(nothing);
        CHECK_FALSE(s.endpoints);
        CHECK_FALSE(s.username);
        CHECK_FALSE(s.password);
        CHECK_FALSE(s.root_key);
        CHECK_FALSE(s.ca_cert_path);
        CHECK_FALSE(s.cert_path);
        CHECK_FALSE(s.key_path);
        CHECK_FALSE(s.key_password);
        CHECK_FALSE(s.dev);
        CHECK_FALSE(s.use_local_config);
        CHECK_FALSE(s.is_dev());
        CHECK_FALSE(s.is_local());
    }
    CHECK_FALSE(settings::from_environment(of({{"EtcdSettings__HostName", " , "}})).endpoints);
}

TEST_CASE("a flag is true for the word true alone", "[settings]") {
    for (const auto* yes : {"true", "TRUE", "tRuE"})
        CHECK(settings::from_environment(of({{"EtcdSettings__Dev", yes}})).is_dev());
    for (const auto* no : {"1", "yes", "on", "false", " true", "truely", "tru"})
        CHECK_FALSE(settings::from_environment(of({{"EtcdSettings__Dev", no}})).is_dev());
    CHECK(settings::from_environment(of({{"USE_LOCAL_CONFIG", "True"}})).is_local());
    CHECK_FALSE(settings::from_environment(of({{"USE_LOCAL_CONFIG", "1"}})).is_local());
}

TEST_CASE("what the caller set wins; empty is not set", "[settings]") {
    settings mine;
    mine.endpoints = {"mine", ""};
    mine.username = "me";
    mine.password = "";
    mine.root_key = "/mine";
    mine.dev = false;
    mine.use_local_config = false;
    const auto s = mine.or_environment(of(full));
    CHECK(s.endpoints == std::vector<std::string>{"http://mine:2379"});
    CHECK(s.username == "me");
    CHECK(s.password == "canary");
    CHECK(s.root_key == "/mine");
    CHECK(s.ca_cert_path == "/ca.pem");
    CHECK(s.dev == false);
    CHECK(s.use_local_config == false);

    settings empty;
    empty.endpoints = std::vector<std::string>{""};
    CHECK(empty.or_environment(of(full)).endpoints->size() == 2);
}

TEST_CASE("the root of the configuration", "[settings]") {
    const auto root = [](std::optional<std::string> key, bool dev, std::string_view fallback = "/APPS/ControlUnit") {
        settings s;
        s.root_key = std::move(key);
        s.dev = dev;
        return s.config_root(fallback);
    };
    CHECK(root({}, false) == "/APPS/ControlUnit");
    CHECK(root({}, true) == "/dev/APPS/ControlUnit");
    CHECK(root("", true) == "/dev/APPS/ControlUnit");
    CHECK(root("  ", false) == "/APPS/ControlUnit");
    CHECK(root(" apps/x// ", false) == "/apps/x");
    CHECK(root("/apps/x", true) == "/dev/apps/x");
    CHECK(root("/", false) == "");
    CHECK(root("/", true) == "/dev");
    CHECK(root({}, false, "") == "");
}

TEST_CASE("endpoints are completed", "[settings]") {
    CHECK(completed_endpoint("localhost:2379") == "http://localhost:2379");
    CHECK(completed_endpoint(" localhost ") == "http://localhost:2379");
    CHECK(completed_endpoint("https://h") == "https://h:2379");
    CHECK(completed_endpoint("https://h/path") == "https://h:2379/path");
    CHECK(completed_endpoint("[::1]") == "http://[::1]:2379");
    CHECK(completed_endpoint("https://[::1]:99") == "https://[::1]:99");
    CHECK(completed_endpoint("http://u:p@h") == "http://u:p@h:2379");
    CHECK(completed_endpoint("http://") == "http://");
}

TEST_CASE("the process environment tells unset from empty", "[settings]") {
    ::setenv("DYNCONF_TEST_VARIABLE", "", 1);
    CHECK(process_environment()("DYNCONF_TEST_VARIABLE") == std::string());
    ::unsetenv("DYNCONF_TEST_VARIABLE");
    CHECK_FALSE(process_environment()("DYNCONF_TEST_VARIABLE"));
}
