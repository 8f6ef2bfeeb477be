#include <dynconf/config/control_unit.hpp>
#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/config/values_by_keys.hpp>

#include "config/content.hpp"
#include "support/catch.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;

namespace {

using texts = std::vector<std::pair<std::string, std::string>>;

snapshot loaded(const std::shared_ptr<const schema>& what, const texts& content) {
    std::vector<key_value> all;
    for (const auto& [key, text] : content) {
        key_value& kv = all.emplace_back();
        kv.key = key;
        kv.value = text;
        kv.mod_revision = 3;
    }
    detail::content machine(detail::compiled_schema::compile(what).value());
    return machine.load({}, all, 7).next;
}

settings below(const char* root) {
    settings from;
    from.root_key = root;
    return from;
}

using keys = std::vector<std::string>;

}  // namespace

TEST_CASE("values by keys: coerced values, defaults, and null for the rest", "[config]") {
    const auto unit = std::make_shared<const control_unit_schema>(below("/u"));
    const snapshot now = loaded(unit, {{"/u/AiHttpMaxConnections", "20"}, {"/u/PostgresDsn", "dsn"}, {"/u/LogLevel", ""}});
    const auto got = unit->get_values_by_keys(now, keys{"/u/AiHttpMaxConnections", "/u/PostgresDsn", "/u/LogLevel", "/u/LogSqlEcho",
                                                        "/u/CspMessage", "/u/nothing", "ai_http_max_connections", ""});
    CHECK(got.size() == 8);
    CHECK(got.at("/u/AiHttpMaxConnections") == value(20));
    CHECK(got.at("/u/PostgresDsn") == value("dsn"));        // a secret, for the program itself
    CHECK(got.at("/u/LogLevel") == value(""));              // empty is a value
    CHECK(got.at("/u/LogSqlEcho") == value(false));         // its default
    CHECK(got.at("/u/CspMessage").is_null());               // known, no value
    CHECK(got.at("/u/nothing").is_null());
    CHECK(got.at("ai_http_max_connections").is_null());     // a name is no key
    CHECK(got.at("").is_null());
}

TEST_CASE("values by keys: no keys, the same key twice, an empty snapshot", "[config]") {
    const control_unit_schema unit(below("/u"));
    CHECK(get_values_by_keys(unit, {}, {}).empty());
    const auto got = get_values_by_keys(unit, {}, keys{"/u/SpamCount", "/u/SpamCount"});
    CHECK(got.size() == 1);
    CHECK(got.at("/u/SpamCount").is_null());
}

TEST_CASE("values by keys: keys outside the prefix and of an open schema", "[config]") {
    struct none {
        std::string shared;
    };
    auto declared = std::make_shared<declared_schema<none>>("/app");
    declared->optional("shared", &none::shared, {.etcd = "/common/Shared"}, "");
    const auto got = get_values_by_keys(*declared, loaded(declared, {{"/common/Shared", "x"}}), keys{"/common/Shared", "/app/Shared"});
    CHECK(got.at("/common/Shared") == value("x"));
    CHECK(got.at("/app/Shared").is_null());

    const auto open = std::make_shared<const prefix_schema>("/app");
    const auto found = get_values_by_keys(*open, loaded(open, {{"/app/a/b", "1"}}), keys{"/app/a/b", "/app/c", "/other"});
    CHECK(found.at("/app/a/b") == value("1"));
    CHECK(found.at("/app/c").is_null());
    CHECK(found.at("/other").is_null());
}

TEST_CASE("values by keys: a schema that throws gives nulls", "[config]") {
    struct broken : schema {
        std::string get_config_prefix() const override { return "/b"; }
        name_map build_etcd_key_map() const override { throw std::runtime_error("no map"); }
    };
    const auto got = get_values_by_keys(broken(), {}, keys{"/b/a"});
    CHECK(got.at("/b/a").is_null());
}
