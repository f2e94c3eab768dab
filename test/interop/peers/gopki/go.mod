module gopki

go 1.24
