#include "wire/frame_splitter.hpp"

namespace dynconf::wire {

frame_splitter::piece frame_splitter::next(std::string_view& input) noexcept {
    while (!input.empty()) {
        const std::size_t end = input.find('\n');
        if (end == std::string_view::npos) {
            const piece rest{input, false};
            size_ += input.size();
            input = {};
            return rest;
        }
        const std::string_view bytes = input.substr(0, end);
        input.remove_prefix(end + 1);
        size_ += bytes.size();
        if (size_ == 0) continue;
        // A frame that was too large stays visible as such although it has ended.
        if (!overflow()) size_ = 0;
        return {bytes, true};
    }
    return {};
}

}  // namespace dynconf::wire
