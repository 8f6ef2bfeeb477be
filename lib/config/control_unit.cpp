#include <dynconf/config/control_unit.hpp>

#include <dynconf/config/coercion.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace dynconf {
namespace {

enum class kind : std::uint8_t { text, secret, flag, list, seconds, connections, idle_connections };

struct row {
    std::string_view leaf;
    std::string_view name;
    std::string_view variable;
    kind what = kind::text;
};

constexpr std::array<row, 33> rows{{
    {"CategorizationApiUrl", "categorization_api_url", "CATEGORIZATION_API_URL"},
    {"CategorizationApiToken", "categorization_api_token", "CATEGORIZATION_API_TOKEN", kind::secret},
    {"RecommendationApiUrl", "recommendation_api_url", "RECOMMENDATION_API_URL"},
    {"RecommendationApiToken", "recommendation_api_token", "RECOMMENDATION_API_TOKEN", kind::secret},
    {"CspMessage", "csp_message", "CSP_MESSAGE"},
    {"CspMessageClosed", "csp_message_closed", "CSP_MESSAGE_CLOSED"},
    {"CspMessageSpam", "csp_message_spam", "CSP_MESSAGE_SPAM"},
    {"SpamCount", "spam_count", "SPAM_COUNT"},
    {"LogLevel", "log_level", "LOG_LEVEL"},
    {"LogSqlLevel", "log_sql_level", "LOG_SQL_LEVEL"},
    {"LogSqlEcho", "log_sql_echo", "LOG_SQL_ECHO", kind::flag},
    {"ClosedStatuses", "closed_statuses", "CLOSED_STATUSES", kind::list},
    {"OpenStatuses", "open_statuses", "OPEN_STATUSES"},
    {"PostgresDsn", "postgres_dsn", "POSTGRES_DSN", kind::secret},
    {"username", "basic_auth_username", "BASIC_AUTH_USERNAME"},
    {"password", "basic_auth_password", "BASIC_AUTH_PASSWORD", kind::secret},
    {"DiscordBotUrl", "discord_bot_url", "DISCORD_BOT_URL"},
    {"DiscordBotApiUsername", "discord_bot_api_username", "DISCORD_BOT_API_USERNAME"},
    {"DiscordBotApiPassword", "discord_bot_api_password", "DISCORD_BOT_API_PASSWORD", kind::secret},
    {"CollieSensitiveUrl", "collie_sensitive_url", "COLLIE_SENSITIVE_URL"},
    {"ColliePassword", "collie_password", "COLLIE_PASSWORD", kind::secret},
    {"CleanJobFrequencyPerDay", "clean_job_frequency_per_day", "CLEAN_JOB_FREQUENCY_PER_DAY"},
    {"CleanJobHoursSinceLastTimeUpdated", "clean_job_hours_since_last_time_updated",
     "CLEAN_JOB_HOURS_SINCE_LAST_TIME_UPDATED"},
    {"CleanupApiBaseUrl", "cleanup_api_base_url", "CLEANUP_API_BASE_URL"},
    {"CleanupSource", "cleanup_source", "CLEANUP_SOURCE"},
    {"CleanupStart", "cleanup_start", "CLEANUP_START", kind::flag},
    {"UseFakeExternalsDiscord", "use_fake_externals_discord", "USE_FAKE_EXTERNALS_DISCORD", kind::flag},
    {"UseFakeExternalsAi", "use_fake_externals_ai", "USE_FAKE_EXTERNALS_AI", kind::flag},
    {"AiCategorizationDebug", "ai_categorization_debug", "AI_CATEGORIZATION_DEBUG", kind::flag},
    {"AiRecommendationDebug", "ai_recommendation_debug", "AI_RECOMMENDATION_DEBUG", kind::flag},
    {"AiHttpTimeoutSeconds", "ai_http_timeout_seconds", "AI_HTTP_TIMEOUT_SECONDS", kind::seconds},
    {"AiHttpMaxConnections", "ai_http_max_connections", "AI_HTTP_MAX_CONNECTIONS", kind::connections},
    {"AiHttpMaxKeepaliveConnections", "ai_http_max_keepalive_connections", "AI_HTTP_MAX_KEEPALIVE_CONNECTIONS",
     kind::idle_connections},
}};

const row* find_row(std::string_view name) noexcept {
    const auto at = std::find_if(rows.begin(), rows.end(), [&](const row& r) { return r.name == name; });
    return at == rows.end() ? nullptr : &*at;
}

value default_of(kind what) {
    switch (what) {
        case kind::flag: return false;
        case kind::list: return std::vector<std::string>();
        case kind::seconds: return 30.0;
        case kind::connections: return 10;
        case kind::idle_connections: return 5;
        case kind::text:
        case kind::secret: break;
    }
    return nullptr;
}

std::string expected_of(kind what) {
    switch (what) {
        case kind::flag: return std::string(coercion<bool>::expected());
        case kind::list: return std::string(coercion<std::vector<std::string>>::expected());
        case kind::seconds: return "a number above 0";
        case kind::connections: return "a whole number, at least 1";
        case kind::idle_connections: return "a whole number, at least 0";
        case kind::text:
        case kind::secret: break;
    }
    return "a text";
}

template <class T> result<value> parsed(kind what, std::string_view text, bool (*accepts)(const T&)) {
    auto coerced = coercion<T>::from(text);
    if (!coerced || !accepts(*coerced)) return detail::refusal(expected_of(what), text, quoting::shown);
    return value(std::move(*coerced));
}

result<value> parsed(kind what, std::string_view text) {
    switch (what) {
        case kind::flag: return parsed<bool>(what, text, [](const bool&) { return true; });
        case kind::list: return parsed<std::vector<std::string>>(what, text, [](const auto&) { return true; });
        case kind::seconds: return parsed<double>(what, text, [](const double& d) { return d > 0; });
        case kind::connections: return parsed<std::int64_t>(what, text, [](const std::int64_t& n) { return n >= 1; });
        case kind::idle_connections:
            return parsed<std::int64_t>(what, text, [](const std::int64_t& n) { return n >= 0; });
        case kind::text:
        case kind::secret: break;
    }
    return value(text);
}

}  // namespace

control_unit_schema::control_unit_schema(const settings& from) : prefix_(from.config_root(default_root)) {}

std::string control_unit_schema::get_config_prefix() const { return prefix_; }

name_map control_unit_schema::build_etcd_key_map() const {
    // The virtual one: with a subclass's own prefix the whole table moves there.
    const auto below = trimmed_prefix(get_config_prefix()) + '/';
    name_map keys;
    for (const auto& r : rows) keys.emplace(below + std::string(r.leaf), r.name);
    return keys;
}

name_map control_unit_schema::build_env_var_map() const {
    name_map variables;
    for (const auto& r : rows) variables.emplace(r.name, r.variable);
    return variables;
}

result<value> control_unit_schema::coerce_config_value(std::string_view name, value raw) const {
    const auto* r = find_row(name);
    if (!r) return raw;
    if (raw.is_null()) return default_of(r->what);
    const auto text = raw.get<std::string_view>();
    if (!text) return error{text.error().code, std::string(name) + ": " + text.error().detail};
    auto made = parsed(r->what, *text);
    if (!made) return error{made.error().code, std::string(name) + ": " + made.error().detail};
    return made;
}

setting_traits control_unit_schema::traits(std::string_view name) const {
    setting_traits out;
    if (const auto* r = find_row(name)) {
        out.secret = r->what == kind::secret;
        out.expected = expected_of(r->what);
    }
    return out;
}

name_map get_control_unit_key_map(const settings& from) { return control_unit_schema(from).build_etcd_key_map(); }

}  // namespace dynconf
