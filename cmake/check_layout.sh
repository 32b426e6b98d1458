#!/bin/sh
# Layout every source file keeps: at most 100 columns, no tabs, no blanks at the end of a line.
set -u
found=$(find engine accelerators lua recipes tests bench cmake CMakeLists.txt \
  -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.lua' -o -name '*.sh' -o -name '*.cmake' \
  -o -name CMakeLists.txt \) -exec grep -nHP '\t| $|^.{101,}' {} +)
if [ -z "$found" ]; then exit 0; fi
echo "$found"
echo "longer than 100 columns, tabs, or blanks at the end"
exit 1
