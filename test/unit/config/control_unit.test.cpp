#include "support/catch.hpp"

#include "config/compiled_schema.hpp"

#include <dynconf/config/control_unit.hpp>

#include <memory>
#include <set>

using namespace dynconf;

namespace {

struct expected_row {
    const char *leaf, *name, *variable;
};

// Copied by hand from the table of etcd-dynamic-config.
constexpr expected_row table[] = {
    {"CategorizationApiUrl", "categorization_api_url", "CATEGORIZATION_API_URL"},
    {"CategorizationApiToken", "categorization_api_token", "CATEGORIZATION_API_TOKEN"},
    {"RecommendationApiUrl", "recommendation_api_url", "RECOMMENDATION_API_URL"},
    {"RecommendationApiToken", "recommendation_api_token", "RECOMMENDATION_API_TOKEN"},
    {"CspMessage", "csp_message", "CSP_MESSAGE"},
    {"CspMessageClosed", "csp_message_closed", "CSP_MESSAGE_CLOSED"},
    {"CspMessageSpam", "csp_message_spam", "CSP_MESSAGE_SPAM"},
    {"SpamCount", "spam_count", "SPAM_COUNT"},
    {"LogLevel", "log_level", "LOG_LEVEL"},
    {"LogSqlLevel", "log_sql_level", "LOG_SQL_LEVEL"},
    {"LogSqlEcho", "log_sql_echo", "LOG_SQL_ECHO"},
    {"ClosedStatuses", "closed_statuses", "CLOSED_STATUSES"},
    {"OpenStatuses", "open_statuses", "OPEN_STATUSES"},
    {"PostgresDsn", "postgres_dsn", "POSTGRES_DSN"},
    {"username", "basic_auth_username", "BASIC_AUTH_USERNAME"},
    {"password", "basic_auth_password", "BASIC_AUTH_PASSWORD"},
    {"DiscordBotUrl", "discord_bot_url", "DISCORD_BOT_URL"},
    {"DiscordBotApiUsername", "discord_bot_api_username", "DISCORD_BOT_API_USERNAME"},
    {"DiscordBotApiPassword", "discord_bot_api_password", "DISCORD_BOT_API_PASSWORD"},
    {"CollieSensitiveUrl", "collie_sensitive_url", "COLLIE_SENSITIVE_URL"},
    {"ColliePassword", "collie_password", "COLLIE_PASSWORD"},
    {"CleanJobFrequencyPerDay", "clean_job_frequency_per_day", "CLEAN_JOB_FREQUENCY_PER_DAY"},
    {"CleanJobHoursSinceLastTimeUpdated", "clean_job_hours_since_last_time_updated",
     "CLEAN_JOB_HOURS_SINCE_LAST_TIME_UPDATED"},
    {"CleanupApiBaseUrl", "cleanup_api_base_url", "CLEANUP_API_BASE_URL"},
    {"CleanupSource", "cleanup_source", "CLEANUP_SOURCE"},
    {"CleanupStart", "cleanup_start", "CLEANUP_START"},
    {"UseFakeExternalsDiscord", "use_fake_externals_discord", "USE_FAKE_EXTERNALS_DISCORD"},
    {"UseFakeExternalsAi", "use_fake_externals_ai", "USE_FAKE_EXTERNALS_AI"},
    {"AiCategorizationDebug", "ai_categorization_debug", "AI_CATEGORIZATION_DEBUG"},
    {"AiRecommendationDebug", "ai_recommendation_debug", "AI_RECOMMENDATION_DEBUG"},
    {"AiHttpTimeoutSeconds", "ai_http_timeout_seconds", "AI_HTTP_TIMEOUT_SECONDS"},
    {"AiHttpMaxConnections", "ai_http_max_connections", "AI_HTTP_MAX_CONNECTIONS"},
    {"AiHttpMaxKeepaliveConnections", "ai_http_max_keepalive_connections", "AI_HTTP_MAX_KEEPALIVE_CONNECTIONS"},
};
static_assert(std::size(table) == 33);

const std::set<std::string_view> flags{"log_sql_echo", "cleanup_start", "use_fake_externals_discord",
                                       "use_fake_externals_ai", "ai_categorization_debug", "ai_recommendation_debug"};
const std::set<std::string_view> secret_names{"categorization_api_token", "recommendation_api_token", "postgres_dsn",
                                              "basic_auth_password", "discord_bot_api_password", "collie_password"};
const std::set<std::string_view> others{"closed_statuses", "ai_http_timeout_seconds", "ai_http_max_connections",
                                        "ai_http_max_keepalive_connections"};

}  // namespace

TEST_CASE("ControlUnit has the 33 keys, names and variables", "[control_unit]") {
    const control_unit_schema s{settings{}};
    CHECK(s.get_config_prefix() == "/APPS/ControlUnit");
    const auto keys = s.get_etcd_key_map();
    const auto variables = s.get_env_var_map();
    CHECK(keys.size() == 33);
    CHECK(variables.size() == 33);
    for (const auto& row : table) {
        INFO(row.name);
        const auto key = keys.find("/APPS/ControlUnit/" + std::string(row.leaf));
        REQUIRE(key != keys.end());
        CHECK(key->second == row.name);
        const auto variable = variables.find(row.name);
        REQUIRE(variable != variables.end());
        CHECK(variable->second == row.variable);
    }
    CHECK(s.get_control_unit_key_map() == keys);
    CHECK(get_control_unit_key_map(settings{}) == keys);
}

TEST_CASE("ControlUnit follows root and dev", "[control_unit]") {
    settings from;
    from.root_key = "other/root/";
    from.dev = true;
    const control_unit_schema s(from);
    CHECK(s.get_config_prefix() == "/dev/other/root");
    CHECK(s.get_etcd_key_map().at("/dev/other/root/password") == "basic_auth_password");
    CHECK(get_control_unit_key_map(from).contains("/dev/other/root/SpamCount"));
}

TEST_CASE("a subclass with its own prefix takes the table along and may add to it", "[control_unit]") {
    struct mine : control_unit_schema {
        using control_unit_schema::control_unit_schema;
        std::string get_config_prefix() const override { return "/mine/"; }
        name_map build_etcd_key_map() const override {
            auto keys = control_unit_schema::build_etcd_key_map();
            keys["/mine/Extra"] = "extra";
            return keys;
        }
    };
    const mine s{settings{}};
    CHECK(s.build_etcd_key_map().size() == 34);
    CHECK(s.build_etcd_key_map().at("/mine/SpamCount") == "spam_count");
    CHECK(s.coerce_config_value("extra", "x").value() == "x");
}

TEST_CASE("ControlUnit defaults", "[control_unit]") {
    const control_unit_schema s{settings{}};
    for (const auto& row : table) {
        INFO(row.name);
        const auto made = s.coerce_config_value(row.name, nullptr).value();
        if (flags.contains(row.name)) CHECK(made == value(false));
        else if (!others.contains(row.name)) CHECK(made.is_null());
    }
    CHECK(s.coerce_config_value("closed_statuses", nullptr).value() == value(std::vector<std::string>()));
    CHECK(s.coerce_config_value("ai_http_timeout_seconds", nullptr).value() == value(30.0));
    CHECK(s.coerce_config_value("ai_http_max_connections", nullptr).value() == value(10));
    CHECK(s.coerce_config_value("ai_http_max_keepalive_connections", nullptr).value() == value(5));
}

TEST_CASE("ControlUnit coercion", "[control_unit]") {
    const control_unit_schema s{settings{}};
    const auto refuses = [&](std::string_view name, const char* text) {
        const auto r = s.coerce_config_value(name, text);
        return !r && r.error().code == errc::schema_violation && r.error().detail.starts_with(name);
    };
    for (const auto& row : table) {
        INFO(row.name);
        if (flags.contains(row.name)) {
            CHECK(s.coerce_config_value(row.name, " YES ").value() == value(true));
            CHECK(s.coerce_config_value(row.name, "enabled").value() == value(true));
            CHECK(s.coerce_config_value(row.name, "off").value() == value(false));
            CHECK(refuses(row.name, "treu"));
            CHECK(refuses(row.name, ""));
        } else if (!others.contains(row.name)) {
            CHECK(s.coerce_config_value(row.name, " 5 ").value() == value(" 5 "));
            CHECK(s.coerce_config_value(row.name, "").value() == value(""));
        }
    }
    CHECK(s.coerce_config_value("closed_statuses", " a, b,, ").value() == value(std::vector<std::string>{"a", "b"}));
    CHECK(s.coerce_config_value("open_statuses", "a, b").value() == value("a, b"));
    CHECK(s.coerce_config_value("ai_http_timeout_seconds", "2.5").value() == value(2.5));
    for (const auto* bad : {"nan", "inf", "-1", "0", "abc", ""}) CHECK(refuses("ai_http_timeout_seconds", bad));
    CHECK(s.coerce_config_value("ai_http_max_connections", "20").value() == value(20));
    for (const auto* bad : {"10.5", "abc", "0", "-1", ""}) CHECK(refuses("ai_http_max_connections", bad));
    CHECK(s.coerce_config_value("ai_http_max_keepalive_connections", "0").value() == value(0));
    CHECK(refuses("ai_http_max_keepalive_connections", "-1"));
    CHECK(s.coerce_config_value("not_of_ours", "x").value() == value("x"));
    CHECK(refuses("log_sql_echo", "x"));
    CHECK(s.coerce_config_value("log_sql_echo", 5).error().code == errc::type_mismatch);
}

TEST_CASE("ControlUnit's tokens, passwords and DSN are secret, nothing is required", "[control_unit]") {
    const control_unit_schema s{settings{}};
    for (const auto& row : table) {
        INFO(row.name);
        CHECK(s.traits(row.name).secret == secret_names.contains(row.name));
        CHECK_FALSE(s.traits(row.name).required);
    }
    CHECK(detail::compiled_schema::compile(std::make_shared<control_unit_schema>(settings{})));
}
