#include "support/catch.hpp"

#include "config/compiled_schema.hpp"
#include "config/snapshot_data.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/json.hpp>

#include <memory>
#include <stdexcept>

using namespace dynconf;
using namespace std::chrono_literals;

namespace {

enum class mode { slow, fast };

struct app_config {
    std::string db_host;
    std::uint16_t db_port = 0;
    bool cache = false;
    std::chrono::seconds health{};
    std::optional<int> workers;
    std::vector<std::string> tags;
    std::string token;
    nlohmann::json extra;
    mode speed = mode::slow;
};

}  // namespace

// A type of the user's own.
template <> struct dynconf::value_traits<mode> {
    static value write(mode m) { return value(m == mode::fast ? "fast" : "slow"); }
    static result<mode> read(const value& v) {
        if (v == "fast") return mode::fast;
        if (v == "slow") return mode::slow;
        return detail::mismatch(v, "mode");
    }
};
template <> struct dynconf::coercion<mode> {
    static result<mode> from(std::string_view text, quoting quote = quoting::shown) {
        if (text == "fast") return mode::fast;
        if (text == "slow") return mode::slow;
        return detail::refusal(expected(), text, quote);
    }
    static constexpr std::string_view expected() { return "slow or fast"; }
};

namespace {

declared_schema<app_config> app_schema() {
    declared_schema<app_config> s("/myapp/prod/");
    s.optional("db_host", &app_config::db_host, {.etcd = "Database/Host", .env = "MYAPP_DB_HOST"}, "localhost")
        .optional("db_port", &app_config::db_port, {.etcd = "Database/Port", .env = "MYAPP_DB_PORT"}, 5432,
                  in_range<std::uint16_t>(1024, 65535))
        .required("cache", &app_config::cache,
                  {.etcd = "Features/Cache", .env = "MYAPP_CACHE", .description = "use it"})
        .optional("health", &app_config::health, {.etcd = "/shared/Health"}, 60s, in_range(5s, 300s))
        .optional("workers", &app_config::workers, {.env = "MYAPP_WORKERS"}, in_range(1, 100))
        .optional("tags", &app_config::tags, {.etcd = "Tags"}, {})
        .optional("token", &app_config::token, {.etcd = "Token", .secret = true}, "",
                  satisfies<std::string>("an even length", [](const std::string& t) { return t.size() % 2 == 0; }))
        .optional("extra", &app_config::extra, {.etcd = "Extra"}, nlohmann::json::object())
        .optional("speed", &app_config::speed, {.etcd = "Speed"}, mode::slow);
    return s;
}

detail::compiled_schema compiled() {
    return detail::compiled_schema::compile(std::make_shared<declared_schema<app_config>>(app_schema())).value();
}

}  // namespace

TEST_CASE("declarations become the maps", "[declared_schema]") {
    const auto s = app_schema();
    CHECK(s.get_config_prefix() == "/myapp/prod");
    CHECK(s.build_etcd_key_map() == name_map{{"/myapp/prod/Database/Host", "db_host"},
                                             {"/myapp/prod/Database/Port", "db_port"},
                                             {"/myapp/prod/Features/Cache", "cache"},
                                             {"/shared/Health", "health"},
                                             {"/myapp/prod/Tags", "tags"},
                                             {"/myapp/prod/Token", "token"},
                                             {"/myapp/prod/Extra", "extra"},
                                             {"/myapp/prod/Speed", "speed"}});
    CHECK(s.build_env_var_map() == name_map{{"db_host", "MYAPP_DB_HOST"},
                                            {"db_port", "MYAPP_DB_PORT"},
                                            {"cache", "MYAPP_CACHE"},
                                            {"workers", "MYAPP_WORKERS"}});
    CHECK(s.names().front() == "db_host");
    CHECK(s.names().size() == 9);
    CHECK(s.traits("cache").required);
    CHECK(s.traits("cache").description == "use it");
    CHECK_FALSE(s.traits("db_port").required);
    CHECK(s.traits("db_port").expected == "a whole number from 0 to 65535, from 1024 to 65535");
    CHECK(s.traits("token").secret);
    CHECK_FALSE(s.traits("nobody").secret);
}

TEST_CASE("declared values are coerced, checked, defaulted", "[declared_schema]") {
    const auto c = compiled();
    CHECK(c.coerce("db_port", "8080").value() == value(8080));
    CHECK(c.coerce("db_port", std::nullopt).value() == value(5432));
    CHECK(c.coerce("db_port", "80").error().detail == "db_port: expected from 1024 to 65535, got \"80\"");
    CHECK(c.coerce("db_port", "x").error().detail == "db_port: expected a whole number from 0 to 65535, got \"x\"");
    CHECK(c.coerce("cache", "enabled").value() == value(true));
    CHECK(c.coerce("cache", std::nullopt).error().code == errc::required_missing);
    CHECK(c.coerce("cache", "").error().code == errc::schema_violation);
    CHECK(c.coerce("health", "1m").value() == value(60s));
    CHECK_FALSE(c.coerce("health", "10m"));
    CHECK(c.coerce("workers", std::nullopt).value().is_null());
    CHECK(c.coerce("workers", "100").value() == value(100));
    CHECK_FALSE(c.coerce("workers", "101"));
    CHECK(c.coerce("tags", "a,b").value() == value(std::vector<std::string>{"a", "b"}));
    CHECK(c.coerce("extra", "{\"a\":1}").value().if_json()->at("a") == 1);
    CHECK_FALSE(c.coerce("extra", "{"));
    CHECK(c.coerce("speed", "fast").value() == value("fast"));
    CHECK_FALSE(c.coerce("speed", "medium"));
}

TEST_CASE("a refused secret is shown nowhere", "[declared_schema]") {
    const auto s = app_schema();
    const auto refused = s.coerce_config_value("token", "canary7");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail == "token: expected an even length");
    const auto through = compiled().coerce("token", "canary7");
    CHECK(through.error().detail == "token: expected a text, an even length (the value is secret)");
}

TEST_CASE("bind gives the struct, with defaults for what is absent", "[declared_schema]") {
    const auto s = app_schema();
    const auto bound = s.bind(config_map{{"cache", true}, {"db_port", 8080}, {"workers", 3}, {"unknown", 1}}).value();
    CHECK(bound.db_host == "localhost");
    CHECK(bound.db_port == 8080);
    CHECK(bound.cache);
    CHECK(bound.health == 60s);
    CHECK(bound.workers == 3);
    CHECK(bound.extra == nlohmann::json::object());

    CHECK(s.bind(config_map{}).error().code == errc::required_missing);
    CHECK(s.bind(config_map{}).error().detail == "cache");
    CHECK(s.bind(config_map{{"cache", nullptr}}).error().code == errc::required_missing);
    CHECK(s.bind(config_map{{"cache", true}, {"db_port", nullptr}}).value().db_port == 5432);
    CHECK(s.bind(config_map{{"cache", true}, {"workers", nullptr}}).value().workers == std::nullopt);

    const auto mismatch = s.bind(config_map{{"cache", true}, {"db_port", 1.5}});
    CHECK(mismatch.error().code == errc::type_mismatch);
    CHECK(mismatch.error().detail == "db_port: have float, wanted uint16");
    const auto broken = s.bind(config_map{{"cache", true}, {"db_port", 80}});
    CHECK(broken.error().code == errc::schema_violation);
    CHECK(broken.error().detail == "db_port: expected from 1024 to 65535");
    CHECK(s.bind(config_map{{"cache", "yes"}, {"db_port", "8080"}}).value().db_port == 8080);
}

TEST_CASE("bind from a snapshot is bind from its map", "[declared_schema]") {
    const auto s = app_schema();
    const auto c = compiled();
    detail::snapshot_editor edit{snapshot()};
    for (const auto& name : c.names()) {
        std::optional<std::string_view> text;
        if (name == "cache") text = "on";
        edit.set(name, {c.coerce(name, text).value(), {}, false});
    }
    const auto now = std::move(edit).commit(1, origin::etcd, 1);
    CHECK(s.bind(now).value().cache);
    CHECK(s.bind(now).value().speed == mode::slow);
    CHECK(s.bind(now.all()).value().db_port == 5432);
    CHECK(now.get<mode>("speed").value() == mode::slow);
}

TEST_CASE("a contradictory declaration is refused by name", "[declared_schema]") {
    declared_schema<app_config> s("/app");
    s.optional("a", &app_config::db_host, {.etcd = "A", .env = "APP_A"}, "x");
    const auto words_of = [](const auto& declare) {
        try {
            declare();
        } catch (const std::invalid_argument& e) {
            return std::string(e.what());
        }
        return std::string("no exception");
    };
    CHECK(words_of([&] { s.optional("a", &app_config::db_host, {.etcd = "B"}, "x"); }) == "a: declared twice");
    CHECK(words_of([&] { s.optional("b", &app_config::db_host, {.etcd = "A"}, "x"); }) ==
          "b: the key /app/A belongs to a");
    CHECK(words_of([&] { s.optional("b", &app_config::db_host, {.etcd = "/app/A"}, "x"); }) ==
          "b: the key /app/A belongs to a");
    CHECK(words_of([&] { s.optional("b", &app_config::db_host, {.env = "APP_A"}, "x"); }) ==
          "b: the variable APP_A belongs to a");
    CHECK(words_of([&] { s.required("b", &app_config::db_host, {}); }) ==
          "b: neither an etcd key nor an environment variable");
    CHECK(words_of([&] { s.required("", &app_config::db_host, {.etcd = "B"}); }) == "a declared setting has no name");
    CHECK(words_of([&] { s.optional("b", &app_config::db_port, {.etcd = "B"}, 80, in_range(1024, 2048)); }) ==
          "b: the default is not from 1024 to 2048");
    // a refused declaration leaves no trace
    CHECK(s.names() == std::vector<std::string>{"a"});
    CHECK(s.bind(config_map{}).value().db_host == "x");
}

TEST_CASE("a rule that throws refuses", "[declared_schema]") {
    const auto picky = satisfies<std::string>("a good name", [](const std::string& t) {
        if (t != "good") throw std::runtime_error("which it is not");
        return true;
    });
    declared_schema<app_config> s("/app");
    s.required("host", &app_config::db_host, {.etcd = "Host"}, picky);
    const auto coerced = s.coerce_config_value("host", value("bad"));
    REQUIRE(!coerced);
    CHECK(coerced.error().detail.find("a good name") != std::string::npos);
    const auto bound = s.bind(config_map{{"host", value("bad")}});
    REQUIRE(!bound);
    CHECK(bound.error().code == errc::schema_violation);
    CHECK(s.bind(config_map{{"host", value("good")}}).value().db_host == "good");
    CHECK_THROWS_AS(s.optional("b", &app_config::db_host, {.etcd = "B"}, "bad", picky), std::invalid_argument);
}
