// Where desktops run: the seam and the QEMU driver.
