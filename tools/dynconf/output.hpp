#pragma once

#include <boost/system/error_code.hpp>

#include <string_view>

namespace dynconf::tool {

/// The standard output. Written at once and line by line: a reader gets each line whole as soon as there is one.
class output {
public:
    /// Where writing would have to wait, it is given up with operation_aborted once `stop` can be read; -1: never.
    explicit output(int stop = -1) noexcept : stop_(stop) {}

    /// broken_pipe: nobody reads any more.
    boost::system::error_code write(std::string_view text) const noexcept;

private:
    int stop_;
};

}  // namespace dynconf::tool
