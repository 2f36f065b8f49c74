"""Pure: values and functions of the field, no I/O, no clock, no library beyond the standard one."""
