#include "fuzz/target.hpp"

#include "wire/base64.hpp"

#include <optional>

using namespace dynconf;
using fuzz::promise;

namespace {

std::optional<std::string> decoded_in_pieces(std::string_view text, std::uint8_t how) {
    wire::base64_decoder decoder;
    std::string out;
    for (const std::string_view piece : fuzz::cut(text, how))
        if (!decoder.append(piece, out)) return std::nullopt;
    if (!decoder.finish(out)) return std::nullopt;
    return out;
}

}  // namespace

FUZZ_TARGET(base64) {
    const std::uint8_t how = in.byte();
    const std::string_view bytes = in.rest();

    const auto decoded = wire::from_base64(bytes);
    promise(decoded_in_pieces(bytes, how) == decoded, "the cuts change what is decoded");
    if (decoded) {
        promise(decoded->size() <= bytes.size() * 3 / 4 + 1, "more bytes than the text stands for");
        promise(wire::from_base64(wire::to_base64(*decoded)) == decoded, "what was decoded does not come back");
    }

    const std::string text = wire::to_base64(bytes);
    promise(text.size() == (bytes.size() + 2) / 3 * 4, "not the padded form");
    promise(decoded_in_pieces(text, how) == bytes, "bytes do not come back");
}
