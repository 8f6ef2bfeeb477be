#include "support/catch.hpp"

#include "config/compiled_schema.hpp"

#include <memory>
#include <stdexcept>

using namespace dynconf;
using detail::compiled_schema;

namespace {

// Every answer is a member, so that each test states only what it is about.
struct scripted_schema : schema {
    std::string prefix = "/app";
    name_map keys{{"/app/Port", "port"}};
    name_map variables;
    std::function<result<value>(std::string_view, value)> coerce = [](std::string_view, value raw) {
        return result<value>(std::move(raw));
    };
    std::function<setting_traits(std::string_view)> say = [](std::string_view) { return setting_traits(); };
    std::function<std::optional<std::string>(std::string_view)> open = [](std::string_view) {
        return std::optional<std::string>();
    };

    std::string get_config_prefix() const override { return prefix; }
    name_map build_etcd_key_map() const override { return keys; }
    name_map build_env_var_map() const override { return variables; }
    result<value> coerce_config_value(std::string_view name, value raw) const override {
        return coerce(name, std::move(raw));
    }
    setting_traits traits(std::string_view name) const override { return say(name); }
    std::optional<std::string> name_of(std::string_view key) const override { return open(key); }
};

std::shared_ptr<scripted_schema> scripted() { return std::make_shared<scripted_schema>(); }

std::string refusal_of(std::shared_ptr<const schema> s) {
    const auto compiled = compiled_schema::compile(std::move(s));
    REQUIRE_FALSE(compiled);
    CHECK(compiled.error().code == errc::schema_violation);
    return compiled.error().detail;
}

}  // namespace

TEST_CASE("the prefix ends at a slash", "[schema]") {
    for (const auto* written : {"/APPS/ControlUnit", "/APPS/ControlUnit/", "/APPS/ControlUnit//"}) {
        auto s = scripted();
        s->prefix = written;
        s->keys = {{"/APPS/ControlUnit/A", "a"}};
        const auto c = compiled_schema::compile(s).value();
        CHECK(c.prefix() == "/APPS/ControlUnit");
        CHECK(c.ranges() == std::vector{key_range::prefix("/APPS/ControlUnit/")});
        CHECK(c.watch_range() == key_range::prefix("/APPS/ControlUnit/"));
        CHECK_FALSE(c.watch_range()->contains("/APPS/ControlUnit2/A"));
    }
    CHECK(trimmed_prefix("app") == "app");
    CHECK(trimmed_prefix("") == "");
    CHECK(trimmed_prefix("/") == "");
}

TEST_CASE("keys outside the prefix are loaded and covered by the watch", "[schema]") {
    auto s = scripted();
    s->keys = {{"/app/Port", "port"}, {"/shared/Level", "level"}, {"/app2/x", "x"}, {"/app", "self"}};
    const auto c = compiled_schema::compile(s).value();
    CHECK(c.ranges() == std::vector{key_range::prefix("/app/"), key_range::key("/app"), key_range::key("/app2/x"),
                                    key_range::key("/shared/Level")});
    for (const auto& [key, name] : s->keys) CHECK(c.watch_range()->contains(key));
    std::string scratch;
    CHECK(c.name_of("/shared/Level", scratch) == "level");
    CHECK(c.name_of("/app/port", scratch) == std::nullopt);
    CHECK(c.name_of("/app/Port2", scratch) == std::nullopt);
    CHECK(scratch.empty());
    CHECK(*c.key_of("level") == "/shared/Level");
    CHECK(c.key_of("nobody") == nullptr);
}

TEST_CASE("without a prefix only the mapped keys are asked for", "[schema]") {
    auto s = scripted();
    s->prefix = "";
    const auto c = compiled_schema::compile(s).value();
    CHECK(c.ranges() == std::vector{key_range::key("/app/Port")});
    CHECK(c.watch_range() == key_range::key("/app/Port"));
    s->keys.clear();
    s->variables = {{"port", "PORT"}};
    const auto env_only = compiled_schema::compile(s).value();
    CHECK(env_only.ranges().empty());
    CHECK_FALSE(env_only.watch_range());
}

TEST_CASE("names are the union of both maps", "[schema]") {
    auto s = scripted();
    s->variables = {{"port", "PORT"}, {"extra", "EXTRA"}};
    const auto c = compiled_schema::compile(s).value();
    CHECK(c.names() == std::vector<std::string>{"extra", "port"});
    CHECK(*c.env_var_of("extra") == "EXTRA");
    CHECK(c.key_of("extra") == nullptr);
    CHECK(c.knows("extra"));
    CHECK_FALSE(c.knows("nobody"));
    CHECK(c.env_var_of("nobody") == nullptr);
}

TEST_CASE("contradictory maps are refused by name", "[schema]") {
    auto s = scripted();
    s->keys = {{"/app/A", "a"}, {"/app/B", "a"}};
    CHECK(refusal_of(s) == "a: two etcd keys, /app/A and /app/B");
    s->keys = {{"", "a"}};
    CHECK(refusal_of(s) == "a: empty etcd key");
    s->keys = {{"/app/A", ""}};
    CHECK(refusal_of(s) == "/app/A: empty name");
    s->keys = {};
    s->variables = {{"", "A"}};
    CHECK(refusal_of(s) == "A: empty name");
    s->variables = {{"a", ""}};
    CHECK(refusal_of(s) == "a: empty environment variable");
    s->variables = {};
    s->prefix = "";
    CHECK(refusal_of(s) == "the schema has no prefix and no settings");
    CHECK(refusal_of(nullptr) == "no schema");
}

TEST_CASE("an override that throws is a refusal", "[schema]") {
    auto s = scripted();
    s->say = [](std::string_view) -> setting_traits { throw std::runtime_error("boom"); };
    CHECK(refusal_of(s) == "the schema threw: boom");
    s->say = [](std::string_view) -> setting_traits { throw 5; };
    CHECK(refusal_of(s) == "the schema threw");

    auto t = scripted();
    t->coerce = [](std::string_view, value) -> result<value> { throw std::runtime_error("bad\nvalue"); };
    auto c = compiled_schema::compile(t).value();
    const auto refused = c.coerce("port", "x");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::schema_violation);
    CHECK(refused.error().detail == "port: bad\\nvalue");
    t->coerce = [](std::string_view, value) -> result<value> { throw 5; };
    CHECK(c.coerce("port", "x").error().code == errc::schema_violation);
    t->open = [](std::string_view) -> std::optional<std::string> { throw 5; };
    std::string scratch;
    CHECK_FALSE(c.name_of("/app/other", scratch));
    t->say = [](std::string_view) -> setting_traits { throw 5; };
    CHECK(c.is_secret("an open name"));
}

TEST_CASE("what coercion says is kept, named, and made a schema_violation", "[schema]") {
    auto s = scripted();
    s->coerce = [](std::string_view, value raw) -> result<value> {
        if (raw.is_null()) return value(80);
        return error{errc::type_mismatch, "no good"};
    };
    const auto c = compiled_schema::compile(s).value();
    CHECK(c.coerce("port", std::nullopt).value() == 80);
    CHECK(c.coerce("port", "").error().code == errc::schema_violation);
    CHECK(c.coerce("port", "").error().detail == "port: no good");
    s->coerce = [](std::string_view name, value) -> result<value> {
        return error{errc::schema_violation, std::string(name) + " is odd"};
    };
    CHECK(c.coerce("port", "x").error().detail == "port is odd");
}

TEST_CASE("a required setting that comes out null is missing", "[schema]") {
    auto s = scripted();
    s->say = [](std::string_view) { setting_traits t; t.required = true; return t; };
    const auto c = compiled_schema::compile(s).value();
    CHECK(c.coerce("port", std::nullopt).error() == make_error_code(errc::required_missing));
    CHECK(c.coerce("port", std::nullopt).error().detail == "port");
    CHECK(c.coerce("port", "").value() == "");
    CHECK(c.coerce("an open name", std::nullopt).error() == make_error_code(errc::required_missing));
}

TEST_CASE("no refusal of a secret shows it, whatever the schema says", "[schema]") {
    auto s = scripted();
    s->say = [](std::string_view) { setting_traits t; t.secret = true; t.expected = "32 characters"; return t; };
    const auto c = compiled_schema::compile(s).value();
    s->coerce = [](std::string_view, value raw) -> result<value> {
        return error{errc::schema_violation, "bad: " + raw.to_text()};
    };
    CHECK(c.coerce("port", "canary").error().detail == "port: expected 32 characters (the value is secret)");
    s->coerce = [](std::string_view, value raw) -> result<value> { throw std::runtime_error(raw.to_text()); };
    CHECK(c.coerce("port", "canary").error().message().find("canary") == std::string::npos);
    CHECK(c.coerce("open", "canary").error().message().find("canary") == std::string::npos);
}

TEST_CASE("an open schema names the keys that no map has", "[schema]") {
    const auto c = compiled_schema::compile(std::make_shared<prefix_schema>("/app/")).value();
    CHECK(c.ranges() == std::vector{key_range::prefix("/app/")});
    std::string scratch;
    CHECK(c.name_of("/app/Db/Host", scratch) == "Db/Host");
    CHECK_FALSE(c.name_of("/app/", scratch));
    CHECK_FALSE(c.name_of("/app", scratch));
    CHECK_FALSE(c.name_of("/app2/x", scratch));
    CHECK(c.coerce("Db/Host", "x").value() == "x");
    CHECK(c.coerce("Db/Host", std::nullopt).value().is_null());
    CHECK(c.names().empty());

    const auto all = compiled_schema::compile(std::make_shared<prefix_schema>("/")).value();
    CHECK(all.ranges() == std::vector{key_range::prefix("/")});
    CHECK(all.name_of("/a", scratch) == "a");
    CHECK_THROWS_AS(prefix_schema(""), std::invalid_argument);
}

TEST_CASE("a mapped name is never given to another key", "[schema]") {
    auto s = scripted();
    s->open = [](std::string_view key) { return std::optional<std::string>(key == "/app/none" ? "" : "port"); };
    const auto c = compiled_schema::compile(s).value();
    std::string scratch;
    CHECK(c.name_of("/app/Port", scratch) == "port");
    CHECK_FALSE(c.name_of("/app/port", scratch));
    CHECK_FALSE(c.name_of("/app/none", scratch));
}
