#include "policy/stored_value.hpp"

#include <utility>

namespace dynconf::policy {

namespace {

void seal(stored_look& seen, const key_ring& ring, const rotation_options& options, const std::string& key, const std::string& plain) {
    seen.rewrite = true;
    if (!options.dry_run) seen.replacement = ring.seal(key, plain);
}

}  // namespace

stored_look look_at(const key_ring& ring, const rotation_options& options, const std::string& key, const std::string& value) {
    stored_look seen;
    if (is_sealed(value)) {
        seen.what = stored_look::kind::sealed;
        seen.name = sealed_with(value).value_or("?");
        result<std::string> plain = ring.open(key, value);
        if (!plain) seen.why = plain.error();
        else if (seen.name != ring.write_id()) seal(seen, ring, options, key, *plain);
        if (plain) wipe(*plain);
        return seen;
    }
    for (const foreign_format& format : options.foreign) {
        result<std::string> plain = format.open(value);
        if (!plain && plain.error() == errc::not_sealed) continue;
        if (plain) {
            seen.why = {};
            seal(seen, ring, options, key, *plain);
            wipe(*plain);
        }
        // Broken to this one, it may be whole to the next.
        if (plain || !seen.why.code) {
            seen.what = stored_look::kind::foreign;
            seen.name = format.name();
            if (!plain) seen.why = plain.error();
        }
        if (plain) return seen;
    }
    if (seen.what == stored_look::kind::plain && options.seal_plaintext) seal(seen, ring, options, key, value);
    return seen;
}

}  // namespace dynconf::policy
