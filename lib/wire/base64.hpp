#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dynconf::wire {

/// Appends the padded standard form of `bytes`: the only one that every gateway accepts.
void append_base64(std::string& out, std::string_view bytes);
std::string to_base64(std::string_view bytes);

/// Decodes in pieces of any size. Takes the standard and the URL alphabet, padded or not, as gateways do.
class base64_decoder {
public:
    /// Appends what `piece` completes to `out`; false when it holds anything else than base64.
    bool append(std::string_view piece, std::string& out);
    /// Appends the last bytes; false when the text ended inside a group. Ready for the next text.
    bool finish(std::string& out);

private:
    std::uint32_t group_ = 0;    // up to 3 pending sextets, the oldest highest
    unsigned pending_ = 0;       // how many of them
    unsigned padding_ = 0;       // '=' seen
};

std::optional<std::string> from_base64(std::string_view text);

}  // namespace dynconf::wire
