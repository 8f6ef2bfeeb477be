#include "fuzz/target.hpp"

#include "wire/frame_splitter.hpp"

#include <utility>

using namespace dynconf;
using fuzz::promise;

namespace {

constexpr std::size_t max_frame_size = 64;

struct outcome {
    std::vector<std::string> frames;
    std::string open;         // what the last frame has so far
    bool overflow = false;
};

// As http_session and its readers do: nothing is taken any more once a frame is too large.
outcome split(const std::vector<std::string_view>& pieces) {
    wire::frame_splitter splitter(max_frame_size);
    outcome o;
    for (std::string_view piece : pieces) {
        while (!piece.empty()) {
            const std::string_view before = piece;
            const auto part = splitter.next(piece);
            promise(piece.size() < before.size(), "nothing is taken");
            promise(part.bytes.empty() || (part.bytes.data() >= before.data() && part.bytes.data() + part.bytes.size() <= before.data() + before.size()),
                    "not a part of the input");
            promise(part.bytes.find('\n') == std::string_view::npos, "a line end within a frame");
            o.overflow = splitter.overflow();
            promise(o.overflow == (o.open.size() + part.bytes.size() > max_frame_size), "the bound is not the stated one");
            if (o.overflow) return {std::move(o.frames), {}, true};
            o.open += part.bytes;
            if (part.ends_frame) {
                promise(!o.open.empty(), "an empty frame");
                o.frames.push_back(std::exchange(o.open, {}));
            }
            promise(splitter.at_boundary() == o.open.empty(), "the stream may end in the middle of a frame");
        }
    }
    return o;
}

}  // namespace

FUZZ_TARGET(frame_splitter) {
    const std::uint8_t how = in.byte();
    const std::string_view bytes = in.rest();
    const outcome whole = split({bytes}), pieces = split(fuzz::cut(bytes, how));
    promise(whole.frames == pieces.frames && whole.overflow == pieces.overflow && whole.open == pieces.open, "the cuts change the frames");
}
