#include "support/catch.hpp"

#include "config/load_environment.hpp"

#include <dynconf/config/declared_schema.hpp>

#include <map>
#include <memory>

using namespace dynconf;
using detail::load_environment;

namespace {

struct unit_config {
    int port = 0;
    std::string host;
    std::string token;
    std::optional<int> limit;
    std::string from_etcd;
};

detail::compiled_schema compiled() {
    auto s = std::make_shared<declared_schema<unit_config>>("/app");
    s->optional("port", &unit_config::port, {.etcd = "Port", .env = "PORT"}, 80)
        .required("host", &unit_config::host, {.etcd = "Host", .env = "HOST"})
        .optional("token", &unit_config::token, {.etcd = "Token", .env = "TOKEN", .secret = true}, "none",
                  one_of({"none", "some"}))
        .optional("limit", &unit_config::limit, {.env = "LIMIT"})
        .optional("from_etcd", &unit_config::from_etcd, {.etcd = "FromEtcd"}, "d");
    return detail::compiled_schema::compile(std::move(s)).value();
}

environment_lookup of(std::map<std::string, std::string> variables) {
    return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        if (found == variables.end()) return std::nullopt;
        return found->second;
    };
}

std::map<std::string, detail::entry> entries(const detail::loaded_settings& loaded) {
    return {loaded.entries.begin(), loaded.entries.end()};
}

}  // namespace

TEST_CASE("the environment gives every mapped name an entry", "[load_environment]") {
    const auto loaded = load_environment(compiled(), of({{"PORT", "8080"}, {"HOST", ""}, {"TOKEN", "some"}}));
    CHECK(loaded.rejections.empty());
    const auto got = entries(loaded);
    CHECK(got.size() == 5);
    CHECK(got.at("port") == detail::entry{value(8080), {origin::environment, 0}, false});
    CHECK(got.at("host") == detail::entry{value(""), {origin::environment, 0}, false});
    CHECK(got.at("token") == detail::entry{value("some"), {origin::environment, 0}, true});
    CHECK(got.at("limit") == detail::entry{value(), {origin::none, 0}, false});
    CHECK(got.at("from_etcd") == detail::entry{value("d"), {origin::defaults, 0}, false});
}

TEST_CASE("a bad variable gives the default and a rejection without secrets", "[load_environment]") {
    const auto loaded =
        load_environment(compiled(), of({{"PORT", "x"}, {"HOST", "h"}, {"TOKEN", "canary"}, {"LIMIT", "1.5"}}));
    const auto got = entries(loaded);
    CHECK(got.at("port") == detail::entry{value(80), {origin::defaults, 0}, false});
    CHECK(got.at("token") == detail::entry{value("none"), {origin::defaults, 0}, true});
    CHECK(got.at("limit").content.is_null());
    REQUIRE(loaded.rejections.size() == 3);
    for (const auto& r : loaded.rejections) {
        CHECK(r.reason.code == errc::schema_violation);
        CHECK(r.reason.message().find("canary") == std::string::npos);
        CHECK(r.revision == 0);
    }
    CHECK(loaded.rejections[1].name == "port");
    CHECK(loaded.rejections[1].key == "PORT");
}

TEST_CASE("a required setting that nobody gives is a rejection", "[load_environment]") {
    const auto loaded = load_environment(compiled(), of({}));
    REQUIRE(loaded.rejections.size() == 1);
    CHECK(loaded.rejections[0].name == "host");
    CHECK(loaded.rejections[0].key == "HOST");
    CHECK(loaded.rejections[0].reason.code == errc::required_missing);
    CHECK(entries(loaded).at("host").content.is_null());
}
