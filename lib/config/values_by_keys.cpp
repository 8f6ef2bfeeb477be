#include <dynconf/config/values_by_keys.hpp>

#include "config/compiled_schema.hpp"

#include <memory>

namespace dynconf {

config_map get_values_by_keys(const schema& what, const snapshot& from, std::span<const std::string> keys) {
    config_map out;
    for (const std::string& key : keys) out.emplace(key, value());
    // The caller's object, not owned: it outlives this call.
    const auto known = detail::compiled_schema::compile(std::shared_ptr<const schema>(std::shared_ptr<const schema>(), &what));
    if (!known) return out;   // no manager could have made a snapshot with it
    std::string scratch;
    for (auto& [key, held] : out)
        if (const auto name = known->name_of(key, scratch))
            if (const value* found = from.find(*name)) held = *found;
    return out;
}

}  // namespace dynconf
