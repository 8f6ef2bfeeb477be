#include "config/load_environment.hpp"

namespace dynconf::detail {

entry default_entry(const compiled_schema& schema, std::string_view name, std::optional<error>& refused) {
    entry made;
    made.secret = schema.is_secret(name);
    auto content = schema.coerce(name, std::nullopt);
    if (!content) refused = content.error();
    else made.content = std::move(*content);
    if (!made.content.is_null()) made.from.from = origin::defaults;
    return made;
}

entry environment_entry(const compiled_schema& schema, const std::string& name, const environment_lookup& look_up,
                        std::vector<rejection>& rejections) {
    const auto* variable = schema.env_var_of(name);
    const std::string key = variable ? *variable : std::string();
    if (const auto text = variable && look_up ? look_up(*variable) : std::nullopt) {
        auto content = schema.coerce(name, *text);
        if (content) return {std::move(*content), {origin::environment, 0}, schema.is_secret(name)};
        rejections.push_back({name, key, content.error(), 0});
    }
    std::optional<error> refused;
    auto made = default_entry(schema, name, refused);
    if (refused) rejections.push_back({name, key, std::move(*refused), 0});
    return made;
}

loaded_settings load_environment(const compiled_schema& schema, const environment_lookup& look_up) {
    loaded_settings out;
    out.entries.reserve(schema.names().size());
    for (const auto& name : schema.names())
        out.entries.emplace_back(name, environment_entry(schema, name, look_up, out.rejections));
    return out;
}

}  // namespace dynconf::detail
