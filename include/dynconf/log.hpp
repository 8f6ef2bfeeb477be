#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf {

enum class log_level : std::uint8_t { debug, info, warning, error };

/// A detail of a record under a name that does not change, such as "endpoint".
struct log_field {
    std::string_view name;
    std::string value;
};

/// One thing that happened. `event` is a stable name such as "watch_interrupted", and so are the names of its `fields`:
/// docs/logging.md lists them. `text` is for people. None of it ever holds a secret.
struct log_record {
    log_level level = log_level::info;
    std::string_view event;
    std::string text;
    std::vector<log_field> fields;
    /// How many records of the same fault were held back since the last one that was not.
    std::uint64_t repeated = 0;
};

/// Called on the library's strands: must be quick, must not throw, may be called from several threads at once.
using log_sink = std::function<void(const log_record&)>;

}  // namespace dynconf
